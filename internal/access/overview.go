package access

// Row is one right as people read it: what each tier may do inside its scope.
type Row struct {
	Right                    Right
	Super, Head, Duty, Staff Verdict
	Duties                   Duty // which duties bring it
}

// order is the page "Who may do what".
var order = []Right{
	ContactsSee, MembersEdit, DepartmentsEdit, MemberDepart, HeadsAppoint, RolesGrant, SupersAppoint, GroupSee, GroupRoster, GroupCreate, GroupMove, GroupConvert, GroupRename,
	GroupSettings, GroupEntry, GroupDisband, GroupHandOver, GroupDuties, MemberAdd, CodeTemporary, CodePermanent, CodeRevoke, CodeAdopt, CodeDownload,
	ScansSee, ScansExport, RequestsDecide, FullExport, AuditRead, ApprovalsSee, ApprovalsDecide, OrganisationEdit, PolicyTrace,
	RecertSee, RecertConfirm, RecertPlan, CasesSee,
}

// Overview reads the table for the settings page, in the words of an ordinary
// case: an internal group that an admin created, inside the asker's scope.
func Overview() []Row {
	rows := make([]Row, len(order))
	for i, r := range order {
		cells := table[r]
		row := Row{Right: r, Super: ask(cells.super, Object{}), Head: ask(cells.head, Object{}), Staff: ask(cells.staff, Object{Joined: true})}
		if cells.duty != nil {
			for d := Owner; d <= Events; d <<= 1 {
				if v := cells.duty(d, Object{}); v != Denied {
					row.Duty, row.Duties = v, row.Duties|d
				}
			}
		}
		rows[i] = row
	}
	return rows
}
