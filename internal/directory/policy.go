package directory

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"doorplate/internal/access"
)

// Policies are the organisation's editable switches and numbers. Only what
// differs from the default is stored.
type Policies struct {
	ExternalPermanent bool     // permanent codes on external groups (default no)
	TemporaryMaxDays  int      // longest life of a code that expires
	JoiningOff        bool     // nobody joins by scanning, anywhere
	TicketSeconds     int      // life of the ticket between scan and join page (source: B34, about 15 s)
	UpstreamDays      int      // default validity of an uploaded chat QR image (source: B01, 7 days)
	AddressPer10s     int      // scans one address may make in 10 s; 0 = no limit
	VisitorPer10s     int      // scans one join cookie may make in 10 s; 0 = no limit
	GuestPrefixes     []string // country prefixes a join page sends codes to, e.g. +86
	SessionIdleHours  int      // a console session ends after so long without use
	SessionMaxDays    int      // and after so long in any case
	RequestDays       int      // a join request nobody decides expires after so long
	ApprovalDays      int      // a second-person approval nobody decides expires after so long
	ScanDays          int      // single scans are kept so long, then deleted; 0 = for ever (source: B37)
	RefreshDays       int      // a permanent code should be refreshed after so long (source: C52, a quarter)
	ScanTarget        int      // per cent of scans that should lead to a request or an entry (source: C42, 35)
	StayTarget        int      // per cent that should still be in after 24 h (source: C43, 60)
	UpstreamWarnHours int      // a reminder so long before the last chat QR image dies
	StaffGroups       Choice   // staff start groups in their own departments: off, approval, on (req: D13)
	GroupCreation     Choice   // everybody below super admin makes groups: on, approval, off (req: D18)
	NoMobileCreation  bool     // no groups and codes from a phone (req: D39)
	RecertDays        int      // heads confirm members and codes this often; 0 = never (source: C52, a quarter)
	RecertGraceDays   int      // and have so long for it before what is not confirmed stands still
	NoticePersonDaily int      // mails and text messages one person gets in a day; 0 = no limit (source: D23)
	NoticeDaily       int      // and all together, then sending stands still; 0 = no limit (source: D23)
	NoticeMilestone   int      // a group with so many members is announced to webhooks; 0 = never (source: C35, 100)
	NoticeMemberSMS   bool     // members may have text messages
	NoticeGuestSMS    bool     // guests are told of decisions by text message
	AskAgainHours     int      // who was refused may ask the same group again after so long
	AskAgainTimes     int      // and so often; 0 = as often as they like
	DueHours          int      // a request is to be decided within so many hours of work; 0 = no clock
	RemindHours       int      // who decides is reminded so many of them before; 0 = not
	EscalateHours     int      // so many after it goes to the next above; 0 = never
	WorkFrom, WorkTo  int      // hours of the day between which people work
	WorkDays          []string // 1 = Monday … 7 = Sunday
	WorkHolidays      []string // days off, YYYY-MM-DD
	WorkExtra         []string // days worked though they would be off
	FuseHours         int      // a code that behaves oddly needs approval for so long; 0 = never (req: A21)
	FuseMinutes       int      // what happens within so many minutes counts together
	FuseBurst         int      // so many scans at once are odd when they are more than on the code's usual day; 0 = never
	FuseOutside       int      // and so many from outside the audience or networks; 0 = never
	FuseRefused       int      // and so many wrong answers in an hour, or requests refused in a day; 0 = never
	UndoMinutes       int      // a decision on a request may be taken back for so long; 0 = never
}

// DefaultPolicies are what a new installation starts with.
func DefaultPolicies() Policies {
	return Policies{
		TemporaryMaxDays: 365, TicketSeconds: 15, UpstreamDays: 7, AddressPer10s: 3000, VisitorPer10s: 30,
		GuestPrefixes: []string{"+86"}, SessionIdleHours: 72, SessionMaxDays: 30, RequestDays: 30, ApprovalDays: 14,
		RefreshDays: 90, ScanTarget: 35, StayTarget: 60, UpstreamWarnHours: 48,
		StaffGroups: access.CreationOff, GroupCreation: access.CreationOn,
		RecertDays: 90, RecertGraceDays: 14,
		NoticePersonDaily: 50, NoticeDaily: 5000, NoticeMilestone: 100,
		AskAgainHours: 24, AskAgainTimes: 3,
		DueHours: 9, RemindHours: 2, EscalateHours: 9, WorkFrom: 9, WorkTo: 18, WorkDays: []string{"1", "2", "3", "4", "5"},
		FuseHours: 12, FuseMinutes: 10, FuseBurst: 200, FuseOutside: 20, FuseRefused: 20,
		UndoMinutes: 10,
	}
}

// Ticket is the ticket's life.
func (p Policies) Ticket() time.Duration { return time.Duration(p.TicketSeconds) * time.Second }

// policyFields binds stored names to fields, so that reading and writing agree.
func (p *Policies) fields() map[string]any {
	return map[string]any{
		"external_permanent": &p.ExternalPermanent, "temporary_max_days": &p.TemporaryMaxDays, "joining_off": &p.JoiningOff,
		"ticket_seconds": &p.TicketSeconds, "upstream_days": &p.UpstreamDays, "address_per_10s": &p.AddressPer10s,
		"visitor_per_10s": &p.VisitorPer10s, "guest_prefixes": &p.GuestPrefixes, "session_idle_hours": &p.SessionIdleHours,
		"session_max_days": &p.SessionMaxDays, "request_days": &p.RequestDays, "approval_days": &p.ApprovalDays,
		"scan_days": &p.ScanDays, "refresh_days": &p.RefreshDays, "scan_target": &p.ScanTarget, "stay_target": &p.StayTarget,
		"upstream_warn_hours": &p.UpstreamWarnHours,
		"staff_groups":        &p.StaffGroups, "group_creation": &p.GroupCreation, "no_mobile_creation": &p.NoMobileCreation,
		"recert_days": &p.RecertDays, "recert_grace_days": &p.RecertGraceDays,
		"notice_person_daily": &p.NoticePersonDaily, "notice_daily": &p.NoticeDaily, "notice_milestone": &p.NoticeMilestone,
		"notice_member_sms": &p.NoticeMemberSMS, "notice_guest_sms": &p.NoticeGuestSMS,
		"ask_again_hours": &p.AskAgainHours, "ask_again_times": &p.AskAgainTimes,
		"due_hours": &p.DueHours, "remind_hours": &p.RemindHours, "escalate_hours": &p.EscalateHours, "work_from": &p.WorkFrom, "work_to": &p.WorkTo,
		"work_days": &p.WorkDays, "work_holidays": &p.WorkHolidays, "work_extra": &p.WorkExtra,
		"fuse_hours": &p.FuseHours, "fuse_minutes": &p.FuseMinutes, "fuse_burst": &p.FuseBurst, "fuse_outside": &p.FuseOutside, "fuse_refused": &p.FuseRefused,
		"undo_minutes": &p.UndoMinutes,
	}
}

type policyRow struct {
	Name      string
	Value     string
	UpdatedAt time.Time
}

func (policyRow) TableName() string { return "policies" }

// LoadPolicies reads the policies in force.
func LoadPolicies(tx *gorm.DB) (Policies, error) {
	p := DefaultPolicies()
	var rows []policyRow
	if err := tx.Find(&rows).Error; err != nil {
		return p, fmt.Errorf("load policies: %w", err)
	}
	for _, r := range rows {
		if err := p.Set(r.Name, r.Value); err != nil {
			return p, err
		}
	}
	return p, nil
}

// Set puts a stored value into its field; names of other versions are passed over.
func (p *Policies) Set(name, value string) error {
	if err := parsePolicy(p.fields()[name], value); err != nil {
		return fmt.Errorf("policy %s: %w", name, err)
	}
	return nil
}

func parsePolicy(field any, value string) (err error) {
	switch f := field.(type) {
	case *bool:
		*f, err = strconv.ParseBool(value)
	case *int:
		*f, err = strconv.Atoi(value)
	case *[]string:
		*f = strings.Fields(value)
	case *Choice:
		*f = Choice(value)
	}
	return err
}

func formatPolicy(field any) string {
	switch f := field.(type) {
	case *bool:
		return strconv.FormatBool(*f)
	case *int:
		return strconv.Itoa(*f)
	case *[]string:
		return strings.Join(*f, " ")
	case *Choice:
		return string(*f)
	}
	return ""
}
