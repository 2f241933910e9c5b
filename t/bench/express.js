// The door's work as an Express application of four processes: the token, the
// batch, the filter, and what is kept appended to a file, synced before the
// answer as the queue is. It knows no duplicates and does no delivery.
const cluster = require('cluster');
const crypto = require('crypto');
const fs = require('fs');

if (cluster.isPrimary) {
	process.umask(0); // the socket is for nginx's user
	for (let i = 0; i < 4; i++)
		cluster.fork();
} else {
	// From where the benchmark is told it is installed, not from here.
	const express = require(require.resolve('express',
		{ paths: [process.env.BENCH_EXPRESS] }));
	const app = express();
	const token = Buffer.from(process.env.BENCH_TOKEN);
	const file = fs.openSync(process.env.BENCH_KEPT, 'a');

	app.use((request, response, next) => {
		const given = Buffer.from(request.get('Authorization') || '');
		if (given.length === token.length &&
		    crypto.timingSafeEqual(given, token))
			return next();
		response.sendStatus(401);
	});
	app.use(express.json({ limit: '32mb' }));
	app.post('/express', (request, response) => {
		const kept = request.body.filter((record) =>
			/^(?:f|limit|pwd_leak)/.test(record.data.type));
		if (kept.length === 0)
			return response.status(204).end();
		const lines = kept.map((record) =>
			JSON.stringify(record) + '\n').join('');
		fs.write(file, lines, (error) => {
			if (error)
				return response.sendStatus(503);
			fs.fsync(file, (error) => error ?
				response.sendStatus(503) :
				response.type('text').send('ok\n'));
		});
	});
	app.listen(process.env.BENCH_SOCKET);
}
