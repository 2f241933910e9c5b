<?php
// The door's work as a script for PHP-FPM: the token, the batch, the filter,
// and what is kept appended to a file, synced before the answer as the
// queue is. It knows no duplicates and does no delivery.
if (!hash_equals(getenv('BENCH_TOKEN'), $_SERVER['HTTP_AUTHORIZATION'] ?? '')) {
	http_response_code(401);
	exit;
}
$batch = json_decode(file_get_contents('php://input'), true);
if (!is_array($batch)) {
	http_response_code(400);
	exit;
}
$kept = '';
foreach ($batch as $record)
	if (preg_match('/^(?:f|limit|pwd_leak)/', $record['data']['type'] ?? ''))
		$kept .= json_encode($record) . "\n";
if ($kept === '') {
	http_response_code(204);
	exit;
}
$file = fopen(getenv('BENCH_KEPT'), 'a');
if (!$file || fwrite($file, $kept) !== strlen($kept) || !fsync($file)) {
	http_response_code(503);
	exit;
}
header('Content-Type: text/plain');
echo "ok\n";
