/* SPDX-License-Identifier: ISC */
/* The table of type codes, and the rule for those it does not have. */
#include "event/catalog.h"

#include <stdlib.h>
#include <string.h>

static const char *const class_names[CLASSES] = {
	[CLASS_NOTICE] = "notice",
	[CLASS_FAILURE] = "failure",
	[CLASS_LIMIT] = "limit",
	[CLASS_ANOMALY] = "anomaly",
	[CLASS_WARNING] = "warning",
	[CLASS_SUCCESS] = "success",
};

/* Sorted by code in byte order: catalog_find() searches by halves. */
static const struct event_type types[] = {
	{ "acls_summary", CLASS_NOTICE, "Network ACLs Summary" },
	{ "actions_execution_failed", CLASS_FAILURE,
	    "Actions Execution Failed" },
	{ "acul_sdk_notice", CLASS_NOTICE, "ACUL SDK Notice" },
	{ "admin_update_launch", CLASS_NOTICE, "Auth0 Update Launched" },
	{ "api_limit", CLASS_LIMIT,
	    "Rate Limit on the Authentication or Management APIs" },
	{ "api_limit_warning", CLASS_LIMIT,
	    "Rate Limit Warning on the Authentication or Management APIs" },
	{ "appi", CLASS_NOTICE, "Notice for API Peak Performance initiated" },
	{ "ciba_exchange_failed", CLASS_FAILURE, "Failed CIBA Exchange" },
	{ "ciba_exchange_succeeded", CLASS_SUCCESS,
	    "Successful CIBA Exchange" },
	{ "ciba_start_failed", CLASS_FAILURE, "Failed CIBA Start" },
	{ "ciba_start_succeeded", CLASS_SUCCESS, "Successful CIBA Start" },
	{ "cls", CLASS_NOTICE, "Code/Link Sent" },
	{ "coff", CLASS_WARNING, "Connector Offline" },
	{ "con", CLASS_NOTICE, "Connector Online" },
	{ "connected_accounts_connection_failed", CLASS_FAILURE,
	    "Failed Connected Account Connection" },
	{ "connected_accounts_connection_succeeded", CLASS_SUCCESS,
	    "Successful Connected Account Connection" },
	{ "connected_accounts_delete_failed", CLASS_FAILURE,
	    "Failed Connected Account Delete" },
	{ "connected_accounts_delete_succeeded", CLASS_SUCCESS,
	    "Successful Connected Account Delete" },
	{ "cs", CLASS_NOTICE, "Code Sent" },
	{ "custom_domain_verification_failed", CLASS_FAILURE,
	    "Custom Domain Verification Failed" },
	{ "depnote", CLASS_WARNING, "Deprecation Notice" },
	{ "directory_sync_completed", CLASS_SUCCESS,
	    "Inbound Directory Sync Completed" },
	{ "directory_sync_failed", CLASS_FAILURE,
	    "Inbound Directory Sync Failed" },
	{ "directory_sync_started", CLASS_NOTICE,
	    "Inbound Directory Sync Started" },
	{ "du", CLASS_NOTICE, "Deleted User" },
	{ "f", CLASS_FAILURE, "Failed Login" },
	{ "failed_on_behalf_of_token_exchange", CLASS_FAILURE,
	    "Failed Exchange (On-Behalf-Of)" },
	{ "fapi", CLASS_FAILURE, "Operation on API failed" },
	{ "fc", CLASS_FAILURE, "Failed by Connector" },
	{ "fce", CLASS_FAILURE, "Failed Change Email" },
	{ "fco", CLASS_FAILURE, "Failed by CORS" },
	{ "fcoa", CLASS_FAILURE, "Failed cross-origin authentication" },
	{ "fcp", CLASS_FAILURE, "Failed Change Password" },
	{ "fcph", CLASS_FAILURE, "Failed Post Change Password Hook" },
	{ "fcpn", CLASS_FAILURE, "Failed Change Phone Number" },
	{ "fcpr", CLASS_FAILURE, "Failed Change Password Request" },
	{ "fcpro", CLASS_FAILURE, "Failed Connector Provisioning" },
	{ "fcu", CLASS_FAILURE, "Failed Change Username" },
	{ "fd", CLASS_FAILURE, "Failed Delegation" },
	{ "fdeac", CLASS_FAILURE, "Failed Device Activation" },
	{ "fdeaz", CLASS_FAILURE, "Failed Device Authorization Request" },
	{ "fdecc", CLASS_FAILURE, "User Canceled Device Confirmation" },
	{ "fdeleacft", CLASS_FAILURE,
	    "Failed to Exchange Delegated Authorization Code "
	    "for Access Token" },
	{ "fdelsa", CLASS_FAILURE, "Failed Delegated Silent Authentication" },
	{ "fdu", CLASS_FAILURE, "Failed User Deletion" },
	{ "feacft", CLASS_FAILURE, "Failed Exchange (Authorization Code)" },
	{ "feccft", CLASS_FAILURE, "Failed Exchange (Client Credentials)" },
	{ "fecte", CLASS_FAILURE, "Failed Exchange (Custom Token)" },
	{ "fede", CLASS_FAILURE, "Failed Exchange (Device Code)" },
	{ "federated_logout_failed", CLASS_FAILURE, "Failed Federated Logout" },
	{ "fens", CLASS_FAILURE, "Failed Exchange (Native Social Login)" },
	{ "feoobft", CLASS_FAILURE,
	    "Failed Exchange (Password and OOB Challenge)" },
	{ "feotpft", CLASS_FAILURE,
	    "Failed Exchange (Password and OTP Challenge)" },
	{ "fepft", CLASS_FAILURE, "Failed Exchange (Password)" },
	{ "fepotpft", CLASS_FAILURE, "Failed Exchange (Passwordless OTP)" },
	{ "fercft", CLASS_FAILURE,
	    "Failed Exchange (Password and MFA Recovery Code)" },
	{ "ferrt", CLASS_FAILURE, "Failed Exchange (Rotating Refresh Token)" },
	{ "fertft", CLASS_FAILURE, "Failed Exchange (Refresh Token)" },
	{ "feta", CLASS_FAILURE, "Failed Exchange (Token Vault)" },
	{ "fi", CLASS_FAILURE, "Failed invite accept" },
	{ "flo", CLASS_FAILURE, "Failed Logout" },
	{ "flows_execution_completed", CLASS_SUCCESS,
	    "Flows Execution Completed" },
	{ "flows_execution_failed", CLASS_FAILURE, "Flows Execution Failed" },
	{ "fn", CLASS_FAILURE, "Failed Sending Notification" },
	{ "forms_submission_failed", CLASS_FAILURE, "Forms Submission Failed" },
	{ "forms_submission_succeeded", CLASS_SUCCESS,
	    "Forms Submission Succeeded" },
	{ "fp", CLASS_FAILURE, "Failed Login (Incorrect Password)" },
	{ "fpar", CLASS_FAILURE, "Failed Pushed Authorization Request" },
	{ "fpurh", CLASS_FAILURE, "Failed Post User Registration Hook" },
	{ "fs", CLASS_FAILURE, "Failed Signup" },
	{ "fsa", CLASS_FAILURE, "Failed Silent Auth" },
	{ "fscim", CLASS_FAILURE, "Failed SCIM Operation" },
	{ "fu", CLASS_FAILURE, "Failed Login (Invalid Email/Username)" },
	{ "fui", CLASS_FAILURE, "Failed users import" },
	{ "fv", CLASS_FAILURE, "Failed Verification Email" },
	{ "fvr", CLASS_FAILURE, "Failed Verification Email Request" },
	{ "gd_auth_email_verification", CLASS_SUCCESS,
	    "Email Verification Confirmed" },
	{ "gd_auth_fail_email_verification", CLASS_FAILURE,
	    "Email Verification Failed" },
	{ "gd_auth_failed", CLASS_FAILURE, "MFA Auth failed" },
	{ "gd_auth_rejected", CLASS_FAILURE, "MFA Auth rejected" },
	{ "gd_auth_succeed", CLASS_SUCCESS, "MFA Auth success" },
	{ "gd_enrollment_complete", CLASS_SUCCESS, "MFA enrollment complete" },
	{ "gd_otp_rate_limit_exceed", CLASS_LIMIT, "Too many MFA failures" },
	{ "gd_recovery_failed", CLASS_FAILURE, "Recovery failed" },
	{ "gd_recovery_rate_limit_exceed", CLASS_LIMIT,
	    "Multi-factor recovery code has failed too many times" },
	{ "gd_recovery_succeed", CLASS_SUCCESS, "MFA recovery success" },
	{ "gd_send_email", CLASS_SUCCESS, "MFA Email Sent" },
	{ "gd_send_email_verification", CLASS_NOTICE,
	    "Email Verification Sent" },
	{ "gd_send_email_verification_failure", CLASS_FAILURE,
	    "Error Sending MFA Email Verification" },
	{ "gd_send_pn", CLASS_SUCCESS, "Push notification sent" },
	{ "gd_send_pn_failure", CLASS_FAILURE,
	    "Error Sending MFA Push Notification" },
	{ "gd_send_sms", CLASS_SUCCESS, "MFA SMS Sent" },
	{ "gd_send_sms_failure", CLASS_FAILURE, "Error Sending MFA SMS" },
	{ "gd_send_voice", CLASS_SUCCESS, "MFA voice call success" },
	{ "gd_send_voice_failure", CLASS_FAILURE, "MFA voice call failed" },
	{ "gd_start_auth", CLASS_NOTICE, "Second factor started" },
	{ "gd_start_enroll", CLASS_NOTICE, "MFA Enroll started" },
	{ "gd_start_enroll_failed", CLASS_FAILURE, "MFA Enrollment Failed" },
	{ "gd_tenant_update", CLASS_NOTICE, "Guardian tenant update" },
	{ "gd_unenroll", CLASS_NOTICE, "Unenroll device account" },
	{ "gd_update_device_account", CLASS_NOTICE, "Update device account" },
	{ "gd_webauthn_challenge_failed", CLASS_FAILURE,
	    "WebAuthn browser error (Challenge)" },
	{ "gd_webauthn_enrollment_failed", CLASS_FAILURE,
	    "WebAuthn browser error (Enrollment)" },
	{ "idjag_exchange_failed", CLASS_FAILURE, "Failed Exchange (ID-JAG)" },
	{ "idjag_exchange_succeeded", CLASS_SUCCESS,
	    "Success Exchange (ID-JAG)" },
	{ "jwt_bearer_exchange_failed", CLASS_FAILURE,
	    "Failed Exchange (JWT Bearer)" },
	{ "kms_key_management_failure", CLASS_FAILURE,
	    "Failed KMS API Operation" },
	{ "kms_key_management_success", CLASS_SUCCESS,
	    "Success KMS API Operation" },
	{ "kms_key_state_changed", CLASS_NOTICE, "KMS Key State Change" },
	{ "limit_delegation", CLASS_LIMIT, "Too Many Calls to /delegation" },
	{ "limit_mu", CLASS_ANOMALY, "Blocked IP Address" },
	{ "limit_phone", CLASS_LIMIT,
	    "Blocked Phone Delivery - Too many phone delivery attempts" },
	{ "limit_sul", CLASS_ANOMALY, "Blocked Account (Too Many Logins)" },
	{ "limit_wc", CLASS_ANOMALY, "Blocked Account" },
	{ "mfar", CLASS_NOTICE, "MFA Required" },
	{ "mgmt_api_read", CLASS_SUCCESS, "Management API read Operation" },
	{ "my_account_authentication_method_failed", CLASS_FAILURE,
	    "Failed authentication method operation in My Account API" },
	{ "my_account_authentication_method_succeeded", CLASS_SUCCESS,
	    "Successful authentication method operation in My Account API" },
	{ "oidc_backchannel_logout_failed", CLASS_FAILURE,
	    "Failed OIDC Back-Channel Logout request" },
	{ "oidc_backchannel_logout_succeeded", CLASS_SUCCESS,
	    "Successful OIDC Back-Channel Logout request" },
	{ "organization_member_added", CLASS_SUCCESS,
	    "Organization Member Added" },
	{ "passkey_challenge_failed", CLASS_FAILURE,
	    "Passkey Challenge Failed" },
	{ "passkey_challenge_started", CLASS_NOTICE,
	    "Passkey Challenge Started" },
	{ "pla", CLASS_NOTICE, "Pre-login assessment" },
	{ "pwd_leak", CLASS_ANOMALY, "Breached password" },
	{ "reset_pwd_leak", CLASS_ANOMALY, "Breached Password on Reset" },
	{ "resource_cleanup", CLASS_NOTICE, "Success Resource Cleanup" },
	{ "rich_consents_access_error", CLASS_FAILURE,
	    "Rich Consents Access Error" },
	{ "s", CLASS_SUCCESS, "Success Login" },
	{ "sapi", CLASS_SUCCESS, "Success API Operation" },
	{ "sce", CLASS_SUCCESS, "Success Change Email" },
	{ "scoa", CLASS_SUCCESS, "Success cross-origin authentication" },
	{ "scp", CLASS_SUCCESS, "Success Change Password" },
	{ "scph", CLASS_SUCCESS, "Success Post Change Password Hook" },
	{ "scpn", CLASS_SUCCESS, "Success Change Phone Number" },
	{ "scpr", CLASS_SUCCESS, "Success Change Password Request" },
	{ "scu", CLASS_SUCCESS, "Success Change Username" },
	{ "scv", CLASS_SUCCESS, "Success Credential Validation" },
	{ "sd", CLASS_SUCCESS, "Success Delegation" },
	{ "sdel", CLASS_SUCCESS, "Successful Delegated Login" },
	{ "sdeleacft", CLASS_SUCCESS,
	    "Successful Exchange of Delegated Authorization "
	    "Code for Access Token" },
	{ "sdelsa", CLASS_SUCCESS,
	    "Successful Delegated Silent Authentication" },
	{ "sdu", CLASS_SUCCESS, "Success User Deletion" },
	{ "seacft", CLASS_SUCCESS, "Success Exchange (Authorization Code)" },
	{ "seccft", CLASS_SUCCESS, "Success Exchange (Client Credentials)" },
	{ "secte", CLASS_SUCCESS, "Success Exchange (Custom Token)" },
	{ "sede", CLASS_SUCCESS, "Success Exchange (Device Code)" },
	{ "sens", CLASS_SUCCESS, "Success Exchange (Native Social Login)" },
	{ "seoobft", CLASS_SUCCESS,
	    "Success Exchange (Password and OOB Challenge)" },
	{ "seotpft", CLASS_SUCCESS,
	    "Success Exchange (Password and OTP Challenge)" },
	{ "sepft", CLASS_SUCCESS, "Success Exchange (Password)" },
	{ "sepkoobft", CLASS_SUCCESS,
	    "Success Exchange (Passkey and OOB Challenge)" },
	{ "sepkotpft", CLASS_SUCCESS,
	    "Success Exchange (Passkey and OTP Challenge)" },
	{ "sepkrcft", CLASS_SUCCESS,
	    "Success Exchange (Passkey and MFA Recovery Code)" },
	{ "sercft", CLASS_SUCCESS,
	    "Success Exchange (Password and MFA Recovery Code)" },
	{ "sertft", CLASS_SUCCESS, "Success Exchange (Refresh Token)" },
	{ "seta", CLASS_SUCCESS, "Success Exchange (Token Vault)" },
	{ "si", CLASS_SUCCESS, "Successfully accepted a user invite" },
	{ "signup_pwd_leak", CLASS_ANOMALY, "Breached Password on Signup" },
	{ "slo", CLASS_SUCCESS, "Success Logout" },
	{ "srrt", CLASS_SUCCESS, "Successfully revoked a refresh token" },
	{ "ss", CLASS_SUCCESS, "Success Signup" },
	{ "ss_sso_failure", CLASS_FAILURE, "Failed SS-SSO Operation" },
	{ "ss_sso_info", CLASS_NOTICE, "Information from an SS-SSO Operation" },
	{ "ss_sso_success", CLASS_SUCCESS, "Success SS-SSO Operation" },
	{ "ssa", CLASS_SUCCESS, "Success Silent Auth" },
	{ "sscim", CLASS_SUCCESS, "Successful SCIM Operation" },
	{ "success_on_behalf_of_token_exchange", CLASS_SUCCESS,
	    "Success Exchange (On-Behalf-Of)" },
	{ "sui", CLASS_SUCCESS, "Successfully imported users" },
	{ "sv", CLASS_SUCCESS, "Success Verification Email" },
	{ "svr", CLASS_SUCCESS, "Success Verification Email Request" },
	{ "sys_os_update_end", CLASS_NOTICE, "Auth0 OS Update Ended" },
	{ "sys_os_update_start", CLASS_NOTICE, "Auth0 OS Update Started" },
	{ "sys_update_end", CLASS_NOTICE, "Auth0 Update Ended" },
	{ "sys_update_start", CLASS_NOTICE, "Auth0 Update Started" },
	{ "too_many_records", CLASS_LIMIT, "Max Amount of Authenticators" },
	{ "ublkdu", CLASS_NOTICE, "User login block released" },
	{ "universal_logout_failed", CLASS_FAILURE,
	    "Failed Universal Logout request" },
	{ "universal_logout_succeeded", CLASS_SUCCESS,
	    "Successful Universal Logout request" },
	{ "w", CLASS_WARNING, "Warning During Login" },
	{ "wn", CLASS_WARNING, "Warning Sending Notification" },
	{ "wum", CLASS_WARNING, "Warning User Management" },
};

#define COUNT (sizeof(types) / sizeof(types[0]))

/*
 * How an unknown code is judged; the first rule that fits decides. Over
 * the table above this misjudges one code, too_many_records.
 */
enum where { ENDS, CONTAINS, STARTS };

static const struct {
	enum where where;
	const char *text;
	enum event_class class;
} rules[] = {
	{ ENDS, "_failed", CLASS_FAILURE },
	{ ENDS, "_failure", CLASS_FAILURE },
	{ ENDS, "_error", CLASS_FAILURE },
	{ ENDS, "_rejected", CLASS_FAILURE },
	{ CONTAINS, "_fail_", CLASS_FAILURE },
	{ CONTAINS, "pwd_leak", CLASS_ANOMALY },
	{ CONTAINS, "limit", CLASS_LIMIT },
	{ ENDS, "_succeeded", CLASS_SUCCESS },
	{ ENDS, "_success", CLASS_SUCCESS },
	{ ENDS, "_completed", CLASS_SUCCESS },
	{ STARTS, "f", CLASS_FAILURE },
	{ STARTS, "s", CLASS_SUCCESS },
};

static bool
fits(const char *code, enum where where, const char *text)
{
	size_t code_len = strlen(code), len = strlen(text);

	switch (where) {
	case ENDS:
		return code_len >= len &&
		    strcmp(code + code_len - len, text) == 0;
	case CONTAINS:
		return strstr(code, text) != NULL;
	case STARTS:
		return strncmp(code, text, len) == 0;
	}
	return false;
}

static int
compare(const void *code, const void *row)
{
	return strcmp(code, ((const struct event_type *)row)->code);
}

const struct event_type *
catalog_types(size_t *count)
{
	*count = COUNT;
	return types;
}

const struct event_type *
catalog_find(const char *code)
{
	return bsearch(code, types, COUNT, sizeof(types[0]), compare);
}

enum event_class
catalog_class(const char *code)
{
	const struct event_type *type = catalog_find(code);
	size_t i;

	if (type)
		return type->class;
	for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (fits(code, rules[i].where, rules[i].text))
			return rules[i].class;
	return CLASS_NOTICE;
}

const char *
catalog_class_name(enum event_class class)
{
	return class_names[class];
}

bool
catalog_class_find(const char *name, enum event_class *class)
{
	int i;

	for (i = 0; i < CLASSES; i++) {
		if (strcmp(name, class_names[i]) != 0)
			continue;
		*class = (enum event_class)i;
		return true;
	}
	return false;
}
