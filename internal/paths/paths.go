// Package paths is the one place that knows what a URL looks like: the patterns
// the router uses and the functions that fill them in.
package paths

import (
	"net/url"
	"strconv"
	"strings"
)

// Patterns, in the order of the public contract. ":id" is a parameter.
const (
	Healthz = "/healthz"
	Readyz  = "/readyz"
	Metrics = "/metrics"
	Static  = "/static/*"
	Lang    = "/lang"

	Setup     = "/setup/:token"
	SetupDemo = "/setup/:token/demo"

	Login       = "/login"
	LoginVerify = "/login/verify"
	LoginLink   = "/login/link/:token"
	Logout      = "/logout"

	Home = "/"
	Menu = "/menu"

	Contacts           = "/contacts"
	Departments        = "/contacts/departments"
	Department         = "/contacts/departments/:id"
	DepartmentRename   = "/contacts/departments/:id/rename"
	DepartmentMove     = "/contacts/departments/:id/move"
	DepartmentMoveAsk  = "/contacts/departments/:id/move/confirm"
	DepartmentFind     = "/contacts/departments/find"
	DepartmentDelete   = "/contacts/departments/:id/delete"
	DepartmentSheet    = "/contacts/departments/:id/sheet.pdf"
	DepartmentHeads    = "/contacts/departments/:id/heads"
	Members            = "/contacts/members"
	MemberNew          = "/contacts/members/new"
	Member             = "/contacts/members/:id"
	MemberEdit         = "/contacts/members/:id/edit"
	MemberDepart       = "/contacts/members/:id/depart"
	MemberDepartAsk    = "/contacts/members/:id/depart/confirm"
	MemberReactivate   = "/contacts/members/:id/reactivate"
	MemberReturnAsk    = "/contacts/members/:id/reactivate/confirm"
	MemberHeir         = "/contacts/members/:id/heirs"
	BulkEdit           = "/contacts/bulk"
	BulkEdited         = "/contacts/bulk/:id"
	MemberInvite       = "/contacts/members/:id/invite"
	Import             = "/contacts/import"
	ImportTemplate     = "/contacts/import/template.csv"
	ImportRun          = "/contacts/import/:id"
	ImportApply        = "/contacts/import/:id/apply"
	ImportCancel       = "/contacts/import/:id/cancel"
	ImportRefused      = "/contacts/import/:id/refused.csv"
	ImportRefusedXLSX  = "/contacts/import/:id/refused.xlsx"
	ImportColumns      = "/contacts/import/:id/columns"
	Groups             = "/groups"
	GroupNew           = "/groups/new"
	Group              = "/groups/:id"
	GroupSettings      = "/groups/:id/settings"
	GroupStay          = "/groups/:id/members/:membership/until"
	GroupMoreTime      = "/groups/:id/time"
	GroupDisband       = "/groups/:id/disband"
	GroupDisbandAsk    = "/groups/:id/disband/confirm"
	GroupOwner         = "/groups/:id/owner"
	GroupDuties        = "/groups/:id/duties"
	CodeFuse           = "/codes/:id/fuse"
	Cases              = "/cases"
	Case               = "/cases/:id"
	GroupClock         = "/groups/:id/clock"
	GroupMembers       = "/groups/:id/members"
	GroupMemberRemove  = "/groups/:id/members/:membership/remove"
	GroupEntryImage    = "/groups/:id/entry-image"
	GroupWaiting       = "/groups/:id/waiting"
	GroupWaitingAdmit  = "/groups/:id/waiting/:waiter/admit"
	GroupWaitingRemove = "/groups/:id/waiting/:waiter/remove"
	GroupEntry         = "/groups/:id/entry"
	GroupImages        = "/groups/:id/images"
	GroupImage         = "/groups/:id/images/:image"
	GroupCustodian     = "/groups/:id/custodian"
	GroupSeries        = "/groups/:id/series"
	GroupMerge         = "/groups/:id/merge"
	GroupLifecycle     = "/groups/:id/lifecycle"
	GroupsSelect       = "/groups/select"
	GroupsBulk         = "/groups/bulk"
	GroupBatches       = "/groups/batches"
	GroupBatchTemplate = "/groups/batches/template.csv"
	GroupBatch         = "/groups/batches/:id"
	GroupBatchCreate   = "/groups/batches/:id/create"
	GroupRules         = "/groups/:id/rules"
	GroupAsking        = "/groups/:id/asking"
	GroupRuling        = "/groups/:id/automatic"
	Rules              = "/rules"
	RequestOverturn    = "/requests/:id/overturn"
	GroupInvites       = "/groups/:id/invites"
	GroupInviteList    = "/groups/:id/invites/:batch"
	GroupInviteFile    = "/groups/:id/invites/:batch/codes.csv"
	GroupInviteRevoke  = "/groups/:id/invites/:batch/revoke"
	GroupRulesAccept   = "/groups/:id/rules/accept"
	GroupConvert       = "/groups/:id/convert"
	GroupConvertAsk    = "/groups/:id/convert/confirm"
	GroupOwnerAsk      = "/groups/:id/owner/confirm"
	GroupMemberAsk     = "/groups/:id/members/:membership/remove/confirm"
	GroupMemberRestore = "/groups/:id/members/:membership/restore"
	GroupPropose       = "/groups/:id/propose"
	GroupCodes         = "/groups/:id/codes"
	GroupScans         = "/groups/:id/scans"
	GroupScansCSV      = "/groups/:id/scans.csv"
	GroupCodeNew       = "/groups/:id/codes/new"
	Codes              = "/codes"
	Code               = "/codes/:id"
	CodePNG            = "/codes/:id/qr.png"
	CodeSVG            = "/codes/:id/qr.svg"
	CodePoster         = "/codes/:id/poster.pdf"
	CodeLabels         = "/codes/:id/labels.pdf"
	CodePrint          = "/codes/:id/print"
	CodeScansCSV       = "/codes/:id/scans.csv"
	CodeScans          = "/codes/:id/scans"
	CodeTerms          = "/codes/:id/terms"
	CodeRevoke         = "/codes/:id/revoke"
	CodeRevokeAsk      = "/codes/:id/revoke/confirm"
	CodeRegenerate     = "/codes/:id/regenerate"
	CodeRegenerateAsk  = "/codes/:id/regenerate/confirm"
	CodeSuspend        = "/codes/:id/suspend"
	CodeResume         = "/codes/:id/resume"
	CodeAdopt          = "/codes/:id/adopt"
	CodeTargets        = "/codes/:id/targets"
	CodeRefresh        = "/codes/:id/refresh"
	CodeRefreshAsk     = "/codes/:id/refresh/confirm"
	CodeCopies         = "/codes/:id/copies"
	CodeCopiesAgain    = "/codes/:id/copies/again"
	CodeCopy           = "/codes/:id/copies/:serial"
	CodeCopyPhoto      = "/codes/:id/copies/:serial/photo"
	CodeCopyRevoke     = "/codes/:id/copies/:serial/revoke"
	CodeCopyRevokeAsk  = "/codes/:id/copies/:serial/revoke/confirm"
	CodeCopyRemove     = "/codes/:id/copies/:serial/remove"
	CodeChannels       = "/codes/:id/channels"
	CodeChannel        = "/codes/:id/channels/:channel"
	CodeChannelDelete  = "/codes/:id/channels/:channel/delete"
	CodePrints         = "/codes/prints"
	CodeInspect        = "/codes/inspect"
	CodeTrace          = "/codes/trace"
	CodesAdopt         = "/codes/adopt"
	Reminders          = "/reminders"
	Recert             = "/recertify"
	RecertRounds       = "/recertify/rounds"
	RecertRound        = "/recertify/rounds/:id"
	GroupRecert        = "/groups/:id/recertify"
	Prints             = "/prints"
	PrintNew           = "/prints/new"
	PrintZip           = "/prints/codes.zip"
	PrintRun           = "/prints/:id"
	PrintFile          = "/prints/:id/file"
	PrintCancel        = "/prints/:id/cancel"
	Requests           = "/requests"
	RequestsDecide     = "/requests/decide"
	Request            = "/requests/:id"
	RequestsRows       = "/requests/rows"
	RequestsUndo       = "/requests/undo"
	RequestsTime       = "/requests/time"
	RequestsStatistics = "/requests/statistics"
	RequestViews       = "/requests/views"
	RequestView        = "/requests/views/:id"
	RequestRuns        = "/requests/runs"
	RequestRun         = "/requests/runs/:id"
	RequestRunStart    = "/requests/runs/:id/start"
	RequestRunCancel   = "/requests/runs/:id/cancel"
	Approvals          = "/approvals"
	ApprovalsDecide    = "/approvals/decide"
	Approval           = "/approvals/:id"
	ApprovalWithdraw   = "/approvals/:id/withdraw"
	ApprovalExplain    = "/approvals/:id/note"
	ApprovalFile       = "/approvals/:id/file"
	Exports            = "/exports"
	Audit              = "/audit"
	AuditExport        = "/audit/export"
	AuditVerify        = "/audit/verify"
	AuditCheckpoint    = "/audit/checkpoint.txt"
	AuditKey           = "/audit/key.txt"
	AuditEntry         = "/audit/:id"
	SettingsOrg        = "/settings/organisation"
	SettingsLogo       = "/settings/organisation/logo"
	SettingsLogoFile   = "/settings/organisation/logo.png"
	SettingsLogoRemove = "/settings/organisation/logo/remove"
	SettingsPolicies   = "/settings/policies"
	SettingsPreset     = "/settings/policies/presets/:id"
	SettingsReasons    = "/settings/reasons"
	SettingsReason     = "/settings/reasons/:id"
	SettingsRoles      = "/settings/roles"
	SuperAppoint       = "/settings/roles/appoint"
	SuperRemove        = "/settings/roles/remove"
	SettingsRoleNew    = "/settings/roles/new"
	SettingsRole       = "/settings/roles/:id"
	RoleDelete         = "/settings/roles/:id/delete"
	RoleDeleteAsk      = "/settings/roles/:id/delete/confirm"
	RoleGrants         = "/settings/roles/:id/grants"
	RoleWithdraw       = "/settings/roles/:id/grants/:grant/withdraw"
	DepartmentDeputies = "/contacts/departments/:id/deputies"
	MemberAbsence      = "/contacts/members/:id/absence"
	Why                = "/why"
	SettingsDevices    = "/settings/devices"
	SettingsDevicesEnd = "/settings/devices/end"

	Notices               = "/notices"
	NoticesRead           = "/notices/read"
	NoticeSettings        = "/notices/settings"
	SettingsMail          = "/settings/mail"
	SettingsMailTest      = "/settings/mail/test"
	SettingsWebhooks      = "/settings/webhooks"
	SettingsWebhook       = "/settings/webhooks/:id"
	SettingsWebhookSecret = "/settings/webhooks/:id/secret"
	SettingsWebhookRotate = "/settings/webhooks/:id/rotate"
	SettingsWebhookTest   = "/settings/webhooks/:id/test"
	SettingsWebhookDelete = "/settings/webhooks/:id/delete"
	SettingsMessages      = "/settings/messages"
	SettingsMessageRetry  = "/settings/messages/:id/retry"
	SettingsMessagesThaw  = "/settings/messages/thaw"

	TypedCode  = "/s"
	Genuine    = "/genuine"
	Report     = "/report"
	Scan       = "/j/:token"
	Join       = "/join"
	JoinTime   = "/join/time"
	JoinTicket = "/join/:ticket"
	JoinEntry  = "/join/entry.png"
	JoinLeave  = "/join/withdraw"
	JoinWait   = "/join/wait"
	JoinUnwait = "/join/unwait"
	JoinWord   = "/join/word"
	JoinLive   = "/join/live"

	Live       = "/live"
	LiveCounts = "/live/counts"
	JoinDraft  = "/join/draft"
)

// To fills the parameters of a pattern, in order.
func To(pattern string, values ...any) string {
	parts := strings.Split(pattern, "/")
	for i, p := range parts {
		if strings.HasPrefix(p, ":") && len(values) > 0 {
			parts[i] = url.PathEscape(text(values[0]))
			values = values[1:]
		}
	}
	return strings.Join(parts, "/")
}

func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case int:
		return strconv.Itoa(v)
	}
	panic("paths: a parameter is a string or an integer")
}

// With appends a query; pairs are name, value, …; empty values are left out.
func With(path string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// Local returns next when it is a path of this server that is safe to redirect
// to, else "/". Browsers read "//host", "/\host" and control characters as a host.
func Local(next string) string {
	bad := !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\") ||
		strings.ContainsFunc(next, func(r rune) bool { return r < ' ' || r == 0x7f })
	if bad {
		return "/"
	}
	u, err := url.Parse(next)
	if err != nil || u.Host != "" || u.Scheme != "" || strings.Contains(u.Path, "//") { // "/..//host" loses its dots on the way
		return "/"
	}
	return next
}
