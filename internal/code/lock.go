package code

import "strings"

// lockColumn is one column of what a scan is decided on, and where it goes.
type lockColumn struct {
	sql string
	to  func(*Facts) any
}

// lockColumns are the columns of factsColumns one by one: reading them without
// reflection is most of what a small batch of scans costs. A test compares.
var lockColumns = []lockColumn{
	{"c.id", func(f *Facts) any { return &f.ID }},
	{"c.public_id", func(f *Facts) any { return &f.PublicID }},
	{"c.group_id", func(f *Facts) any { return &f.GroupID }},
	{"c.label", func(f *Facts) any { return &f.Label }},
	{"c.validity", func(f *Facts) any { return &f.Validity }},
	{"c.valid_from", func(f *Facts) any { return &f.ValidFrom }},
	{"c.valid_until", func(f *Facts) any { return &f.ValidUntil }},
	{"c.daily_cap", func(f *Facts) any { return &f.DailyCap }},
	{"c.total_cap", func(f *Facts) any { return &f.TotalCap }},
	{"c.networks", func(f *Facts) any { return &f.Networks }},
	{"c.hours", func(f *Facts) any { return (*string)(&f.Hours) }},
	{"c.audience", func(f *Facts) any { return &f.Audience }},
	{"c.audience_roles", func(f *Facts) any { return &f.AudienceRoles }},
	{"c.audience_people", func(f *Facts) any { return &f.AudiencePeople }},
	{"c.password_hash", func(f *Facts) any { return &f.PasswordHash }},
	{"c.benefit", func(f *Facts) any { return &f.Benefit }},
	{"c.validity_fixed", func(f *Facts) any { return &f.ValidityFixed }},
	{"c.fallback", func(f *Facts) any { return &f.Fallback }},
	{"c.fallback_url", func(f *Facts) any { return &f.FallbackURL }},
	{"c.fallback_group_id", func(f *Facts) any { return &f.FallbackGroupID }},
	{"c.route", func(f *Facts) any { return &f.Route }},
	{"c.generation", func(f *Facts) any { return &f.Generation }},
	{"c.refreshed_at", func(f *Facts) any { return &f.RefreshedAt }},
	{"c.version", func(f *Facts) any { return &f.Version }},
	{"c.terms_by", func(f *Facts) any { return &f.TermsBy }},
	{"c.terms_at", func(f *Facts) any { return &f.TermsAt }},
	{"c.issued_by", func(f *Facts) any { return &f.IssuedBy }},
	{"c.issued_at", func(f *Facts) any { return &f.IssuedAt }},
	{"c.suspended_at", func(f *Facts) any { return &f.SuspendedAt }},
	{"c.suspended_by", func(f *Facts) any { return &f.SuspendedBy }},
	{"c.revoked_at", func(f *Facts) any { return &f.RevokedAt }},
	{"c.revoked_by", func(f *Facts) any { return &f.RevokedBy }},
	{"c.revoke_reason", func(f *Facts) any { return &f.RevokeReason }},
	{"c.replaced_by", func(f *Facts) any { return &f.ReplacedBy }},
	{"c.typed_code", func(f *Facts) any { return &f.TypedCode }},
	{"c.own_mode", func(f *Facts) any { return &f.OwnMode }},
	{"c.fused_until", func(f *Facts) any { return &f.FusedUntil }},
	{"c.own_asks", func(f *Facts) any { return &f.OwnAsks }},
	{"g.gid", func(f *Facts) any { return &f.GroupGID }},
	{"g.name", func(f *Facts) any { return &f.GroupName }},
	{"g.type", func(f *Facts) any { return &f.GroupType }},
	{"g.origin", func(f *Facts) any { return &f.GroupOrigin }},
	{"g.status", func(f *Facts) any { return &f.GroupStatus }},
	{"g.owner_id", func(f *Facts) any { return &f.GroupOwnerID }},
	{modeSQL, func(f *Facts) any { return &f.JoinMode }},
	{"g.member_count", func(f *Facts) any { return &f.MemberCount }},
	{"g.capacity", func(f *Facts) any { return &f.Capacity }},
	{"g.disbanded_at", func(f *Facts) any { return &f.DisbandedAt }},
	{"d.path", func(f *Facts) any { return &f.DepartmentPath }},
	{"d.name", func(f *Facts) any { return &f.DepartmentName }},
	{"m.name", func(f *Facts) any { return &f.IssuerName }},
	{"m.status = 'active'", func(f *Facts) any { return &f.IssuerActive }},
	{issuerSQL, func(f *Facts) any { return &f.IssuerOK }},
	{joiningOffSQL, func(f *Facts) any { return &f.JoiningOff }},
	{"(c.route <> 'one' OR g.series_id IS NOT NULL)", func(f *Facts) any { return &f.LeadsOn }},
	{"coalesce((SELECT timezone FROM organisation WHERE id = 1), '')", func(f *Facts) any { return &f.Timezone }},
	{"n.total", func(f *Facts) any { return &f.Total }},
	{"n.day", func(f *Facts) any { return &f.Day }},
	{"n.day_total", func(f *Facts) any { return &f.DayTotal }},
	{recertDueSQL, func(f *Facts) any { return &f.RecertDue }},
}

// LockSQL reads the facts of several codes and locks their counters, in id
// order, until the transaction ends: what a scan is decided on. Its one
// parameter is a list of public ids, on the embedded database as JSON, else as
// an array; unknown ids are left out. ScanFacts reads a line of it.
func LockSQL(postgres bool) string {
	columns := make([]string, len(lockColumns))
	for i, c := range lockColumns {
		columns[i] = c.sql
	}
	sql := "SELECT " + strings.Join(columns, ", ") + factsFrom + " WHERE c.public_id "
	if postgres {
		return sql + "= ANY(?) ORDER BY c.id FOR UPDATE OF n"
	}
	return sql + "IN (SELECT value FROM json_each(?)) ORDER BY c.id"
}

// ScanFacts reads one line of LockSQL with the scan of a row.
func ScanFacts(scan func(into ...any) error) (*Facts, error) {
	f := &Facts{}
	into := make([]any, len(lockColumns))
	for i, c := range lockColumns {
		into[i] = c.to(f)
	}
	return f, scan(into...)
}
