package web

import (
	"context"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"doorplate/internal/access"
	"doorplate/internal/paths"
)

// who says which people a route lets in at all.
type who uint8

const (
	public    who = iota // even before set-up and without a database
	firstRun             // only until set-up
	anyone               // once set up
	atTheDoor            // the same, and answers by itself when the database does not
	signedIn
)

// route is one line of the surface. right is the coarse gate, asked without an
// object, for lists and forms; a route that names an object leaves it to the
// domain, which alone can tell 403 from 404. limit is the largest body in bytes, 0 for bodyLimit.
type route struct {
	method, path string
	who          who
	right        access.Right
	limit        int64
	handle       func(*server, echo.Context) error
}

// Body limits in bytes.
const (
	bodyLimit   = 1 << 20
	uploadLimit = 3 << 20  // a 2 MiB image and its form
	poolLimit   = 18 << 20 // eight images of 2 MiB and their form
	importLimit = 32 << 20 // 50,000 rows are about 5 MiB
)

// table is the whole surface.
var table = []route{
	{http.MethodGet, paths.Healthz, public, "", 0, (*server).healthz},
	{http.MethodGet, paths.Readyz, public, "", 0, (*server).readyz},
	{http.MethodGet, paths.Metrics, public, "", 0, (*server).metrics},
	{http.MethodGet, paths.Static, public, "", 0, (*server).serveStatic},
	{http.MethodPost, paths.Lang, public, "", 0, (*server).switchLanguage},

	{http.MethodGet, paths.Setup, firstRun, "", 0, (*server).showSetup},
	{http.MethodPost, paths.Setup, firstRun, "", 0, (*server).submitSetup},
	{http.MethodPost, paths.SetupDemo, firstRun, "", 0, (*server).submitSetupDemo},

	{http.MethodGet, paths.Login, anyone, "", 0, (*server).showLogin},
	{http.MethodPost, paths.Login, anyone, "", 0, (*server).submitLogin},
	{http.MethodGet, paths.LoginVerify, anyone, "", 0, (*server).showLoginVerify},
	{http.MethodPost, paths.LoginVerify, anyone, "", 0, (*server).submitLoginVerify},
	{http.MethodGet, paths.LoginLink, anyone, "", 0, (*server).showLoginLink},
	{http.MethodPost, paths.LoginLink, anyone, "", 0, (*server).useLoginLink},
	{http.MethodPost, paths.Logout, anyone, "", 0, (*server).logout},

	{http.MethodGet, paths.Home, signedIn, "", 0, (*server).showHome},
	{http.MethodGet, paths.Menu, signedIn, "", 0, (*server).showMenu},

	{http.MethodGet, paths.Contacts, signedIn, "", 0, (*server).listContacts},
	{http.MethodPost, paths.Departments, signedIn, access.DepartmentsEdit, 0, (*server).createDepartment},
	{http.MethodGet, paths.Department, signedIn, "", 0, (*server).showDepartment},
	{http.MethodPost, paths.DepartmentRename, signedIn, "", 0, (*server).renameDepartment},
	{http.MethodPost, paths.DepartmentMove, signedIn, "", 0, (*server).moveDepartment},
	{http.MethodGet, paths.DepartmentMoveAsk, signedIn, "", 0, (*server).confirmMove},
	{http.MethodGet, paths.DepartmentFind, signedIn, "", 0, (*server).findDepartments},
	{http.MethodPost, paths.DepartmentDelete, signedIn, "", 0, (*server).deleteDepartment},
	{http.MethodGet, paths.DepartmentSheet, signedIn, "", 0, (*server).downloadSheet},
	{http.MethodPost, paths.DepartmentHeads, signedIn, "", 0, (*server).changeHeads},
	{http.MethodPost, paths.DepartmentDeputies, signedIn, "", 0, (*server).changeDeputies},
	{http.MethodGet, paths.MemberAbsence, signedIn, "", 0, (*server).showAbsence},
	{http.MethodPost, paths.MemberAbsence, signedIn, "", 0, (*server).changeAbsence},
	{http.MethodPost, paths.Members, signedIn, access.MembersEdit, 0, (*server).createMember},
	{http.MethodGet, paths.MemberNew, signedIn, access.MembersEdit, 0, (*server).newMember},
	{http.MethodGet, paths.Member, signedIn, "", 0, (*server).showMember},
	{http.MethodPost, paths.Member, signedIn, "", 0, (*server).updateMember},
	{http.MethodGet, paths.MemberEdit, signedIn, "", 0, (*server).editMember},
	{http.MethodGet, paths.MemberDepartAsk, signedIn, "", 0, (*server).confirmDepart},
	{http.MethodPost, paths.MemberDepart, signedIn, "", 0, (*server).departMember},
	{http.MethodGet, paths.MemberReturnAsk, signedIn, "", 0, (*server).confirmReturn},
	{http.MethodPost, paths.MemberReactivate, signedIn, "", 0, (*server).reactivateMember},
	{http.MethodPost, paths.MemberHeir, signedIn, "", 0, (*server).handToHeir},
	{http.MethodGet, paths.BulkEdit, signedIn, access.MembersEdit, 0, (*server).confirmBulk},
	{http.MethodPost, paths.BulkEdit, signedIn, access.MembersEdit, 0, (*server).editInBulk},
	{http.MethodGet, paths.BulkEdited, signedIn, "", 0, (*server).showPeopleBulk},
	{http.MethodGet, paths.MemberInvite, signedIn, "", 0, (*server).showInvite},
	{http.MethodPost, paths.MemberInvite, signedIn, "", 0, (*server).inviteMember},
	{http.MethodGet, paths.Import, signedIn, access.MembersEdit, 0, (*server).showImport},
	{http.MethodPost, paths.Import, signedIn, access.MembersEdit, importLimit, (*server).startImport},
	{http.MethodGet, paths.ImportTemplate, signedIn, access.MembersEdit, 0, (*server).downloadImportTemplate},
	{http.MethodGet, paths.ImportRun, signedIn, "", 0, (*server).showImportRun},
	{http.MethodPost, paths.ImportApply, signedIn, "", 0, (*server).applyImport},
	{http.MethodPost, paths.ImportCancel, signedIn, "", 0, (*server).cancelImport},
	{http.MethodGet, paths.ImportRefused, signedIn, "", 0, (*server).downloadRefused},
	{http.MethodGet, paths.ImportRefusedXLSX, signedIn, "", 0, (*server).downloadRefusedWorkbook},
	{http.MethodGet, paths.ImportColumns, signedIn, "", 0, (*server).showImportColumns},
	{http.MethodPost, paths.ImportColumns, signedIn, "", 0, (*server).mapImportColumns},

	{http.MethodGet, paths.Groups, signedIn, "", 0, (*server).listGroups},
	{http.MethodGet, paths.GroupNew, signedIn, access.GroupCreate, 0, (*server).newGroup},
	{http.MethodPost, paths.Groups, signedIn, access.GroupCreate, uploadLimit, (*server).createGroup},
	{http.MethodGet, paths.Group, signedIn, "", 0, (*server).showGroup},
	{http.MethodPost, paths.Group, signedIn, "", uploadLimit, (*server).saveGroup},
	{http.MethodGet, paths.GroupSettings, signedIn, "", 0, (*server).showGroupSettings},
	{http.MethodGet, paths.GroupDisbandAsk, signedIn, "", 0, (*server).confirmDisband},
	{http.MethodPost, paths.GroupDisband, signedIn, "", 0, (*server).disbandGroup},
	{http.MethodPost, paths.GroupOwner, signedIn, "", 0, (*server).handOverGroup},
	{http.MethodPost, paths.GroupDuties, signedIn, "", 0, (*server).changeDuties},
	{http.MethodPost, paths.GroupClock, signedIn, "", 0, (*server).saveGroupClock},
	{http.MethodPost, paths.GroupMembers, signedIn, "", 0, (*server).addGroupMember},
	{http.MethodPost, paths.GroupMemberRemove, signedIn, "", 0, (*server).removeGroupMember},
	{http.MethodGet, paths.GroupEntryImage, signedIn, "", 0, (*server).showEntryImage},
	{http.MethodGet, paths.GroupWaiting, signedIn, "", 0, (*server).listWaiters},
	{http.MethodPost, paths.GroupWaitingAdmit, signedIn, "", 0, (*server).admitWaiter},
	{http.MethodPost, paths.GroupWaitingRemove, signedIn, "", 0, (*server).removeWaiter},
	{http.MethodGet, paths.GroupEntry, signedIn, "", 0, (*server).showGroupEntry},
	{http.MethodPost, paths.GroupEntry, signedIn, "", uploadLimit, (*server).replaceEntry},
	{http.MethodPost, paths.GroupImages, signedIn, "", poolLimit, (*server).addImages},
	{http.MethodPost, paths.GroupImage, signedIn, "", 0, (*server).changeImage},
	{http.MethodPost, paths.GroupCustodian, signedIn, "", 0, (*server).setCustodian},
	{http.MethodPost, paths.GroupSeries, signedIn, "", 0, (*server).changeSeries},
	{http.MethodGet, paths.GroupRules, signedIn, "", 0, (*server).showRules},
	{http.MethodPost, paths.GroupRules, signedIn, "", 0, (*server).saveRules},
	{http.MethodPost, paths.GroupRulesAccept, signedIn, "", 0, (*server).acceptRules},
	{http.MethodGet, paths.GroupAsking, signedIn, "", 0, (*server).showAsking},
	{http.MethodPost, paths.GroupAsking, signedIn, "", 0, (*server).saveAsking},
	{http.MethodGet, paths.GroupInvites, signedIn, "", 0, (*server).showInvites},
	{http.MethodPost, paths.GroupInvites, signedIn, "", 0, (*server).makeInvites},
	{http.MethodGet, paths.GroupInviteList, signedIn, "", 0, (*server).showInviteList},
	{http.MethodGet, paths.GroupInviteFile, signedIn, "", 0, (*server).downloadInvites},
	{http.MethodPost, paths.GroupInviteRevoke, signedIn, "", 0, (*server).revokeInvites},
	{http.MethodGet, paths.Rules, signedIn, access.OrganisationEdit, 0, (*server).showRuling},
	{http.MethodPost, paths.Rules, signedIn, access.OrganisationEdit, 0, (*server).createRule},
	{http.MethodGet, paths.Rules + "/new", signedIn, access.OrganisationEdit, 0, (*server).newRule},
	{http.MethodGet, paths.Rules + "/:rule", signedIn, access.OrganisationEdit, 0, (*server).showRule},
	{http.MethodPost, paths.Rules + "/:rule", signedIn, access.OrganisationEdit, 0, (*server).saveRule},
	{http.MethodPost, paths.Rules + "/:rule/arrange", signedIn, access.OrganisationEdit, 0, (*server).arrangeRule},
	{http.MethodPost, paths.Rules + "/words", signedIn, access.OrganisationEdit, 0, (*server).saveWords},
	{http.MethodPost, paths.Rules + "/lists", signedIn, access.OrganisationEdit, uploadLimit, (*server).makeList},
	{http.MethodPost, paths.Rules + "/lists/:list", signedIn, access.OrganisationEdit, uploadLimit, (*server).changeList},
	{http.MethodGet, paths.GroupRuling, signedIn, "", 0, (*server).showRuling},
	{http.MethodPost, paths.GroupRuling, signedIn, "", 0, (*server).createRule},
	{http.MethodGet, paths.GroupRuling + "/new", signedIn, "", 0, (*server).newRule},
	{http.MethodGet, paths.GroupRuling + "/:rule", signedIn, "", 0, (*server).showRule},
	{http.MethodPost, paths.GroupRuling + "/:rule", signedIn, "", 0, (*server).saveRule},
	{http.MethodPost, paths.GroupRuling + "/:rule/arrange", signedIn, "", 0, (*server).arrangeRule},
	{http.MethodPost, paths.GroupRuling + "/words", signedIn, "", 0, (*server).saveWords},
	{http.MethodPost, paths.GroupRuling + "/lists", signedIn, "", uploadLimit, (*server).makeList},
	{http.MethodPost, paths.GroupRuling + "/lists/:list", signedIn, "", uploadLimit, (*server).changeList},
	{http.MethodPost, paths.RequestOverturn, signedIn, "", 0, (*server).overturnRequest},
	{http.MethodGet, paths.GroupConvertAsk, signedIn, "", 0, (*server).confirmConvert},
	{http.MethodPost, paths.GroupConvert, signedIn, "", 0, (*server).convertGroup},
	{http.MethodGet, paths.GroupOwnerAsk, signedIn, "", 0, (*server).confirmHandOver},
	{http.MethodGet, paths.GroupStay, signedIn, "", 0, (*server).showStay},
	{http.MethodPost, paths.GroupStay, signedIn, "", 0, (*server).changeStay},
	{http.MethodPost, paths.GroupMoreTime, signedIn, "", 0, (*server).askGroupTime},
	{http.MethodGet, paths.GroupMemberAsk, signedIn, "", 0, (*server).confirmRemoveMember},
	{http.MethodPost, paths.GroupMemberRestore, signedIn, "", 0, (*server).restoreMember},
	{http.MethodPost, paths.GroupPropose, signedIn, "", 0, (*server).proposeMember},

	{http.MethodGet, paths.GroupMerge, signedIn, "", 0, (*server).showMerge},
	{http.MethodPost, paths.GroupMerge, signedIn, "", 0, (*server).mergeGroup},
	{http.MethodGet, paths.GroupLifecycle, signedIn, "", 0, (*server).showLifecycle},
	{http.MethodPost, paths.GroupLifecycle, signedIn, "", 0, (*server).changeLifecycle},
	{http.MethodGet, paths.GroupsSelect, signedIn, access.CodeDownload, 0, (*server).showSelect},
	{http.MethodPost, paths.GroupsSelect, signedIn, access.CodeDownload, 0, (*server).selectGroups},
	{http.MethodGet, paths.GroupsBulk, signedIn, access.CodeDownload, 0, (*server).showBulk},
	{http.MethodPost, paths.GroupsBulk, signedIn, access.CodeDownload, 0, (*server).changeGroups},
	{http.MethodGet, paths.GroupBatches, signedIn, access.GroupCreate, 0, (*server).newBatch},
	{http.MethodPost, paths.GroupBatches, signedIn, access.GroupCreate, uploadLimit, (*server).startBatch},
	{http.MethodGet, paths.GroupBatchTemplate, signedIn, access.GroupCreate, 0, (*server).downloadBatchTemplate},
	{http.MethodGet, paths.GroupBatch, signedIn, "", 0, (*server).showBatch},
	{http.MethodPost, paths.GroupBatchCreate, signedIn, "", 0, (*server).createBatch},
	{http.MethodPost, paths.CodeFuse, signedIn, "", 0, (*server).changeFuse},
	{http.MethodGet, paths.Cases, signedIn, access.CasesSee, 0, (*server).listCases},
	{http.MethodGet, paths.Case, signedIn, "", 0, (*server).showCase},
	{http.MethodPost, paths.Case, signedIn, "", 0, (*server).moveCase},
	{http.MethodGet, paths.Recert, signedIn, access.RecertSee, 0, (*server).listRecert},
	{http.MethodGet, paths.RecertRounds, signedIn, access.RecertSee, 0, (*server).listRounds},
	{http.MethodPost, paths.RecertRounds, signedIn, access.RecertPlan, 0, (*server).planRound},
	{http.MethodGet, paths.RecertRound, signedIn, access.RecertSee, 0, (*server).showRound},
	{http.MethodGet, paths.GroupRecert, signedIn, "", 0, (*server).askRecert},
	{http.MethodPost, paths.GroupRecert, signedIn, "", 0, (*server).recertify},

	{http.MethodGet, paths.Codes, signedIn, access.CodeDownload, 0, (*server).listCodes},
	{http.MethodGet, paths.GroupCodes, signedIn, "", 0, (*server).listGroupCodes},
	{http.MethodGet, paths.GroupCodeNew, signedIn, "", 0, (*server).newCode},
	{http.MethodPost, paths.GroupCodes, signedIn, "", 0, (*server).issueCode},
	{http.MethodGet, paths.Code, signedIn, "", 0, (*server).showCode},
	{http.MethodGet, paths.CodePNG, signedIn, "", 0, (*server).downloadPNG},
	{http.MethodGet, paths.CodeSVG, signedIn, "", 0, (*server).downloadSVG},
	{http.MethodGet, paths.CodePoster, signedIn, "", 0, (*server).downloadPoster},
	{http.MethodGet, paths.CodeLabels, signedIn, "", 0, (*server).downloadLabels},
	{http.MethodGet, paths.CodePrint, signedIn, "", 0, (*server).showPrint},
	{http.MethodGet, paths.CodeScansCSV, signedIn, "", 0, (*server).downloadScans},
	{http.MethodGet, paths.CodeScans, signedIn, "", 0, (*server).showCodeScans},
	{http.MethodGet, paths.GroupScans, signedIn, "", 0, (*server).showGroupScans},
	{http.MethodGet, paths.GroupScansCSV, signedIn, "", 0, (*server).downloadGroupScans},
	{http.MethodGet, paths.CodeTerms, signedIn, "", 0, (*server).showTerms},
	{http.MethodPost, paths.CodeTerms, signedIn, "", 0, (*server).saveTerms},
	{http.MethodGet, paths.CodeRevokeAsk, signedIn, "", 0, (*server).confirmRevoke},
	{http.MethodPost, paths.CodeRevoke, signedIn, "", 0, (*server).revokeCode},
	{http.MethodGet, paths.CodeRegenerateAsk, signedIn, "", 0, (*server).confirmRegenerate},
	{http.MethodPost, paths.CodeRegenerate, signedIn, "", 0, (*server).regenerateCode},
	{http.MethodPost, paths.CodeSuspend, signedIn, "", 0, (*server).suspendCode},
	{http.MethodPost, paths.CodeResume, signedIn, "", 0, (*server).resumeCode},
	{http.MethodPost, paths.CodeAdopt, signedIn, "", 0, (*server).adoptCode},
	{http.MethodGet, paths.CodeTargets, signedIn, "", 0, (*server).showTargets},
	{http.MethodPost, paths.CodeTargets, signedIn, "", 0, (*server).changeTargets},
	{http.MethodGet, paths.CodeRefreshAsk, signedIn, "", 0, (*server).confirmRefresh},
	{http.MethodPost, paths.CodeRefresh, signedIn, "", 0, (*server).refreshCode},
	{http.MethodGet, paths.CodeCopies, signedIn, "", 0, (*server).listCopies},
	{http.MethodPost, paths.CodeCopies, signedIn, "", 0, (*server).addCopies},
	{http.MethodPost, paths.CodeCopiesAgain, signedIn, "", 0, (*server).copyAgain},
	{http.MethodGet, paths.CodeCopy, signedIn, "", 0, (*server).showCopy},
	{http.MethodPost, paths.CodeCopy, signedIn, "", uploadLimit, (*server).editCopy},
	{http.MethodGet, paths.CodeCopyPhoto, signedIn, "", 0, (*server).showCopyPhoto},
	{http.MethodGet, paths.CodeCopyRevokeAsk, signedIn, "", 0, (*server).confirmRevokeCopy},
	{http.MethodPost, paths.CodeCopyRevoke, signedIn, "", 0, (*server).revokeCopy},
	{http.MethodPost, paths.CodeCopyRemove, signedIn, "", 0, (*server).removeCopy},
	{http.MethodPost, paths.CodeChannels, signedIn, "", 0, (*server).addChannel},
	{http.MethodGet, paths.CodeChannel, signedIn, "", 0, (*server).showChannel},
	{http.MethodPost, paths.CodeChannelDelete, signedIn, "", 0, (*server).deleteChannel},
	{http.MethodGet, paths.CodePrints, signedIn, access.CodeDownload, 0, (*server).listPrints},
	{http.MethodGet, paths.CodeInspect, signedIn, access.CodeDownload, 0, (*server).inspectCode},
	{http.MethodGet, paths.CodeTrace, signedIn, access.PolicyTrace, 0, (*server).traceScan},
	{http.MethodPost, paths.CodesAdopt, signedIn, access.CodeAdopt, 0, (*server).adoptCodes},
	{http.MethodGet, paths.Reminders, signedIn, access.CodeDownload, 0, (*server).listReminders},

	{http.MethodGet, paths.PrintNew, signedIn, access.CodeDownload, 0, (*server).newPrint},
	{http.MethodPost, paths.Prints, signedIn, access.CodeDownload, 0, (*server).startPrint},
	{http.MethodGet, paths.PrintZip, signedIn, access.CodeDownload, 0, (*server).downloadZip},
	{http.MethodGet, paths.PrintRun, signedIn, "", 0, (*server).showPrintRun},
	{http.MethodGet, paths.PrintFile, signedIn, "", 0, (*server).downloadPrint},
	{http.MethodPost, paths.PrintCancel, signedIn, "", 0, (*server).cancelPrint},
	{http.MethodGet, paths.Requests, signedIn, access.RequestsDecide, 0, (*server).listRequests},
	{http.MethodGet, paths.Request, signedIn, "", 0, (*server).showRequest},
	{http.MethodPost, paths.RequestsDecide, signedIn, "", 0, (*server).decideRequests},
	{http.MethodPost, paths.RequestsUndo, signedIn, "", 0, (*server).undoRequests},
	{http.MethodGet, paths.RequestsTime, signedIn, access.MemberAdd, 0, (*server).listAsking},
	{http.MethodGet, paths.RequestsStatistics, signedIn, access.RequestsDecide, 0, (*server).showStatistics},
	{http.MethodGet, paths.RequestsRows, signedIn, access.RequestsDecide, 0, (*server).showRequestRows},
	{http.MethodPost, paths.RequestViews, signedIn, access.RequestsDecide, 0, (*server).saveRequestView},
	{http.MethodPost, paths.RequestView, signedIn, "", 0, (*server).changeRequestView},
	{http.MethodPost, paths.RequestRuns, signedIn, access.RequestsDecide, 0, (*server).draftRun},
	{http.MethodGet, paths.RequestRun, signedIn, "", 0, (*server).showRun},
	{http.MethodPost, paths.RequestRunStart, signedIn, "", 0, (*server).startRun},
	{http.MethodPost, paths.RequestRunCancel, signedIn, "", 0, (*server).cancelRun},

	{http.MethodGet, paths.Approvals, signedIn, access.ApprovalsSee, 0, (*server).listApprovals},
	{http.MethodGet, paths.Approval, signedIn, "", 0, (*server).showApproval},
	{http.MethodPost, paths.ApprovalsDecide, signedIn, "", 0, (*server).decideApproval},
	{http.MethodPost, paths.ApprovalWithdraw, signedIn, "", 0, (*server).withdrawApproval},
	{http.MethodPost, paths.ApprovalExplain, signedIn, "", 0, (*server).explainApproval},
	{http.MethodGet, paths.ApprovalFile, signedIn, "", 0, (*server).downloadApprovalFile},
	{http.MethodPost, paths.Exports, signedIn, access.FullExport, 0, (*server).requestExport},
	{http.MethodGet, paths.Audit, signedIn, access.AuditRead, 0, (*server).listAudit},
	{http.MethodGet, paths.AuditExport, signedIn, access.AuditRead, 0, (*server).showAuditExport},
	{http.MethodPost, paths.AuditVerify, signedIn, access.OrganisationEdit, 0, (*server).verifyAudit},
	{http.MethodGet, paths.AuditCheckpoint, signedIn, access.OrganisationEdit, 0, (*server).downloadCheckpoint},
	{http.MethodGet, paths.AuditKey, signedIn, access.AuditRead, 0, (*server).downloadAuditKey},
	{http.MethodGet, paths.AuditEntry, signedIn, access.AuditRead, 0, (*server).showAuditEntry},

	{http.MethodGet, paths.SettingsOrg, signedIn, access.OrganisationEdit, 0, (*server).showOrganisation},
	{http.MethodPost, paths.SettingsOrg, signedIn, access.OrganisationEdit, 0, (*server).saveOrganisation},
	{http.MethodGet, paths.SettingsLogoFile, signedIn, access.OrganisationEdit, 0, (*server).showLogo},
	{http.MethodPost, paths.SettingsLogo, signedIn, access.OrganisationEdit, uploadLimit, (*server).saveLogo},
	{http.MethodPost, paths.SettingsLogoRemove, signedIn, access.OrganisationEdit, 0, (*server).removeLogo},
	{http.MethodGet, paths.SettingsPolicies, signedIn, access.OrganisationEdit, 0, (*server).showPolicies},
	{http.MethodPost, paths.SettingsPolicies, signedIn, access.OrganisationEdit, 0, (*server).savePolicies},
	{http.MethodPost, paths.SettingsPreset, signedIn, access.OrganisationEdit, 0, (*server).savePreset},
	{http.MethodGet, paths.SettingsReasons, signedIn, access.OrganisationEdit, 0, (*server).listReasons},
	{http.MethodPost, paths.SettingsReasons, signedIn, access.OrganisationEdit, 0, (*server).addReason},
	{http.MethodPost, paths.SettingsReason, signedIn, access.OrganisationEdit, 0, (*server).changeReason},
	{http.MethodGet, paths.SettingsRoles, signedIn, access.OrganisationEdit, 0, (*server).showRoles},
	{http.MethodPost, paths.SettingsRoles, signedIn, access.RolesGrant, 0, (*server).createRole},
	{http.MethodGet, paths.SettingsRoleNew, signedIn, access.RolesGrant, 0, (*server).newRole},
	{http.MethodGet, paths.SettingsRole, signedIn, access.RolesGrant, 0, (*server).showRole},
	{http.MethodPost, paths.SettingsRole, signedIn, access.RolesGrant, 0, (*server).saveRole},
	{http.MethodGet, paths.RoleDeleteAsk, signedIn, access.RolesGrant, 0, (*server).confirmRoleDelete},
	{http.MethodPost, paths.RoleDelete, signedIn, access.RolesGrant, 0, (*server).deleteRole},
	{http.MethodPost, paths.RoleGrants, signedIn, access.RolesGrant, 0, (*server).grantRole},
	{http.MethodPost, paths.RoleWithdraw, signedIn, access.RolesGrant, 0, (*server).withdrawRole},
	{http.MethodPost, paths.SuperAppoint, signedIn, access.SupersAppoint, 0, (*server).appointSuper},
	{http.MethodPost, paths.SuperRemove, signedIn, access.SupersAppoint, 0, (*server).removeSuper},
	{http.MethodGet, paths.Why, signedIn, "", 0, (*server).showWhy},
	{http.MethodGet, paths.SettingsDevices, signedIn, "", 0, (*server).listDevices},
	{http.MethodPost, paths.SettingsDevicesEnd, signedIn, "", 0, (*server).endDevice},

	{http.MethodGet, paths.Notices, signedIn, "", 0, (*server).listNotices},
	{http.MethodPost, paths.NoticesRead, signedIn, "", 0, (*server).readNotices},
	{http.MethodGet, paths.NoticeSettings, signedIn, "", 0, (*server).showNoticeSettings},
	{http.MethodPost, paths.NoticeSettings, signedIn, "", 0, (*server).saveNoticeSettings},
	{http.MethodGet, paths.SettingsMail, signedIn, access.OrganisationEdit, 0, (*server).showMail},
	{http.MethodPost, paths.SettingsMail, signedIn, access.OrganisationEdit, 0, (*server).saveMail},
	{http.MethodPost, paths.SettingsMailTest, signedIn, access.OrganisationEdit, 0, (*server).testMail},
	{http.MethodGet, paths.SettingsWebhooks, signedIn, access.OrganisationEdit, 0, (*server).listWebhooks},
	{http.MethodPost, paths.SettingsWebhooks, signedIn, access.OrganisationEdit, 0, (*server).createWebhook},
	{http.MethodGet, paths.SettingsWebhook, signedIn, access.OrganisationEdit, 0, (*server).showWebhook},
	{http.MethodPost, paths.SettingsWebhook, signedIn, access.OrganisationEdit, 0, (*server).saveWebhook},
	{http.MethodPost, paths.SettingsWebhookSecret, signedIn, access.OrganisationEdit, 0, (*server).revealSecret},
	{http.MethodPost, paths.SettingsWebhookRotate, signedIn, access.OrganisationEdit, 0, (*server).rotateSecret},
	{http.MethodPost, paths.SettingsWebhookTest, signedIn, access.OrganisationEdit, 0, (*server).testWebhook},
	{http.MethodPost, paths.SettingsWebhookDelete, signedIn, access.OrganisationEdit, 0, (*server).deleteWebhook},
	{http.MethodGet, paths.SettingsMessages, signedIn, access.OrganisationEdit, 0, (*server).listMessages},
	{http.MethodPost, paths.SettingsMessageRetry, signedIn, access.OrganisationEdit, 0, (*server).retryMessage},
	{http.MethodPost, paths.SettingsMessagesThaw, signedIn, access.OrganisationEdit, 0, (*server).thawMessages},

	{http.MethodGet, paths.TypedCode, anyone, "", 0, (*server).showTypedCode},
	{http.MethodPost, paths.TypedCode, anyone, "", 0, (*server).submitTypedCode},
	{http.MethodGet, paths.Report, anyone, "", 0, (*server).showReport},
	{http.MethodPost, paths.Report, anyone, "", 0, (*server).sendReport},
	{http.MethodGet, paths.Genuine, anyone, "", 0, (*server).showGenuine},
	{http.MethodPost, paths.Genuine, anyone, "", 0, (*server).checkGenuine},
	{http.MethodGet, paths.Scan, atTheDoor, "", 0, (*server).scanCode},
	{http.MethodGet, paths.Join, anyone, "", 0, (*server).showJoin},
	{http.MethodPost, paths.JoinTime, anyone, "", 0, (*server).askJoinTime},
	{http.MethodPost, paths.Join, anyone, "", 0, (*server).submitJoin},
	{http.MethodGet, paths.JoinEntry, anyone, "", 0, (*server).showJoinEntry},
	{http.MethodGet, paths.JoinLive, anyone, "", 0, (*server).followJoin},
	{http.MethodPost, paths.JoinWord, anyone, "", 0, (*server).addWord},
	{http.MethodGet, paths.Live, anyone, "", 0, (*server).followConsole},
	{http.MethodGet, paths.LiveCounts, anyone, "", 0, (*server).showCounts},
	{http.MethodPost, paths.JoinLeave, anyone, "", 0, (*server).withdrawRequest},
	{http.MethodPost, paths.JoinWait, anyone, "", 0, (*server).joinWaitingList},
	{http.MethodPost, paths.JoinUnwait, anyone, "", 0, (*server).leaveWaitingList},
	{http.MethodPost, paths.JoinDraft, anyone, "", 0, (*server).saveJoinDraft},
	{http.MethodGet, paths.JoinTicket, anyone, "", 0, (*server).redeemTicket},
}

func (s *server) routes(e *echo.Echo) {
	for _, r := range table {
		handle := s.guard(r)
		if r.method == http.MethodPost {
			limit := r.limit
			if limit == 0 {
				limit = bodyLimit
			}
			handle = limitBody(limit)(s.sameOrigin(handle))
			s.refuseReading(e, r)
		}
		handle = s.measure(r.path, handle)
		if r.method == http.MethodGet {
			e.Add(http.MethodHead, r.path, handle)
		}
		e.Add(r.method, r.path, handle)
	}
}

// refuseReading answers 405 to GET where only POST is served, also where another
// route's parameter would match (/requests/decide is no request's id).
func (s *server) refuseReading(e *echo.Echo, posts route) {
	for _, r := range table {
		if r.path == posts.path && r.method == http.MethodGet {
			return
		}
	}
	r := route{method: http.MethodGet, path: posts.path, who: min(posts.who, anyone), handle: func(_ *server, c echo.Context) error {
		c.Response().Header().Set(echo.HeaderAllow, http.MethodPost)
		return echo.ErrMethodNotAllowed
	}}
	handle := s.measure(r.path, s.guard(r))
	e.Add(http.MethodGet, r.path, handle)
	e.Add(http.MethodHead, r.path, handle)
}

// unrouted answers 503 for a path that nobody serves as long as nobody has set
// this server up: until then that is all there is to say.
func (s *server) unrouted(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		err := next(c)
		if err != echo.ErrNotFound && err != echo.ErrMethodNotAllowed || strings.HasPrefix(c.Request().URL.Path, "/static/") {
			return err
		}
		ctx, cancel := context.WithTimeout(c.Request().Context(), databaseTimeout)
		defer cancel()
		if org, lost := s.Directory.Organisation(ctx); lost == nil && org.SetUpAt == nil {
			return echo.NewHTTPError(http.StatusServiceUnavailable)
		}
		return err
	}
}
