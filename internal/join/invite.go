package join

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/group"
	"doorplate/internal/secret"
)

// Bounds of a batch of invite codes.
const (
	MaxInvites     = 1000
	MaxInviteUses  = 10_000
	MaxInviteLabel = 60
	inviteBatches  = 200 // that a page lists
)

// InviteBatch is a number of invite codes that were made together. req: C18
type InviteBatch struct {
	ID        int64
	GroupID   int64
	Label     string
	Seed      string // the list is derived from it and the secret key
	Quantity  int
	MaxUses   int // of each
	ExpiresAt *time.Time
	CreatedAt time.Time
	CreatedBy *int64
	RevokedAt *time.Time
	RevokedBy *int64

	Author string `gorm:"->;-:migration"`
	Uses   int    `gorm:"->;-:migration"` // of all its codes
}

// TableName is for gorm.
func (InviteBatch) TableName() string { return "invite_batches" }

// Live reports whether its codes may still be used at now.
func (b InviteBatch) Live(now time.Time) bool {
	return b.RevokedAt == nil && (b.ExpiresAt == nil || b.ExpiresAt.After(now))
}

// Invite is one code of a batch, as far as the database knows it.
type Invite struct {
	ID        int64
	BatchID   int64
	Number    int
	GroupID   int64
	Hash      string
	MaxUses   int
	Uses      int
	ExpiresAt *time.Time
	RevokedAt *time.Time

	Label string `gorm:"->;-:migration"`
	Again bool   `gorm:"->;-:migration"` // this person took a use of it before
	Code  string `gorm:"-"`              // in words for the list
}

// TableName is for gorm.
func (Invite) TableName() string { return "invite_codes" }

// inviteLetters leaves out what is mistaken for something else.
const inviteLetters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// inviteText is code number n of a batch: without the secret key nobody can tell it.
func (s *Service) inviteText(b InviteBatch, n int) string {
	sum := s.keys.MAC("invite-code", fmt.Appendf(nil, "%s %d", b.Seed, n))
	text := make([]byte, 11)
	for i := range text {
		text[i] = inviteLetters[sum[i]%32]
	}
	text[5] = '-'
	return string(text)
}

// inviteHash is how a code is stored and found, however it was typed.
func (s *Service) inviteHash(typed string) string {
	plain := strings.NewReplacer("-", "", "O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(group.Plain(typed)))
	return s.keys.Hash("invite", plain)
}

// findInvite looks whether a typed code leads into the group of the visit, or
// into its series; nil when it does not (any more).
func (s *Service) findInvite(tx *gorm.DB, v visit, typed string) (*Invite, error) {
	var rows []Invite
	p := v.person
	err := tx.Raw(`SELECT i.*, b.label, EXISTS (SELECT 1 FROM invite_uses u WHERE u.invite_id = i.id AND (u.member_id = ? OR u.guest_id = ?)) AS again
		FROM invite_codes i JOIN invite_batches b ON b.id = i.batch_id
		WHERE i.hash = ? AND (i.group_id = ? OR i.group_id IN (SELECT x.id FROM groups x WHERE x.series_id = ?))
			AND i.revoked_at IS NULL AND b.revoked_at IS NULL AND (i.expires_at IS NULL OR i.expires_at > ?)`,
		p.MemberID, p.GuestID, s.inviteHash(typed), v.group.ID, v.group.SeriesID, s.now().UTC()).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("look for the invite code: %w", err)
	}
	if len(rows) == 0 || rows[0].Uses >= rows[0].MaxUses && !rows[0].Again {
		return nil, nil
	}
	return &rows[0], nil
}

// takeInvite takes one use with one conditional statement: of any number of
// people who hold the last one, one gets it. Who took one before needs no other.
func (s *Service) takeInvite(tx *gorm.DB, v visit, i *Invite) error {
	if i == nil || i.Again {
		return nil
	}
	now := s.now().UTC()
	done := tx.Exec(`UPDATE invite_codes SET uses = uses + 1 WHERE id = ? AND uses < max_uses AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)`, i.ID, now)
	if done.Error != nil {
		return fmt.Errorf("take the invite code: %w", done.Error)
	}
	if done.RowsAffected == 0 {
		return fault.Invalid{FieldInvite: fault.Msg("asking.join.wrong.invite")}
	}
	err := tx.Exec("INSERT INTO invite_uses (invite_id, member_id, guest_id, name, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
		i.ID, v.person.MemberID, v.person.GuestID, v.person.Name, now).Error
	if err != nil {
		return fmt.Errorf("note who used the invite code: %w", err)
	}
	return nil
}

// InviteDraft asks for a batch, as it was typed.
type InviteDraft struct{ Label, Quantity, Uses, Until string }

func (d InviteDraft) check(loc *time.Location, now time.Time) (b InviteBatch, bad fault.Invalid) {
	bad = fault.Invalid{}
	b = InviteBatch{Label: oneLine(d.Label), Seed: secret.Token(16), CreatedAt: now}
	if n := len([]rune(b.Label)); n == 0 || n > MaxInviteLabel {
		bad["label"] = fault.Msg("asking.error.batch.label", "Max", MaxInviteLabel)
	}
	b.Quantity = between(bad, "quantity", d.Quantity, MaxInvites)
	b.MaxUses = between(bad, "uses", d.Uses, MaxInviteUses)
	if text := strings.TrimSpace(d.Until); text != "" {
		day, err := time.ParseInLocation(time.DateOnly, text, loc)
		end := day.AddDate(0, 0, 1).UTC()
		if err != nil || !end.After(now) || day.Year() > 2200 {
			bad["until"] = fault.Msg("asking.error.batch.until")
		}
		b.ExpiresAt = &end
	}
	return b, bad
}

// between reads a whole number from 1 to most; empty is 1.
func between(bad fault.Invalid, field, text string, most int) int {
	if text = strings.TrimSpace(text); text == "" {
		return 1
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		bad[field] = fault.Msg("asking.error.batch.number", "Max", most)
	}
	return n
}

// MakeInvites makes a batch of invite codes for a group and returns its id.
// Only hashes are kept; InviteList derives the codes anew.
func (s *Service) MakeInvites(ctx context.Context, by access.Actor, gid string, d InviteDraft) (id int64, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		g, err := s.inviting(tx, by, gid, "SHARE")
		if err != nil {
			return err
		}
		if g.Status != group.Active {
			return fault.Conflict{Message: fault.Msg("groups.error.disbanded")}
		}
		org, err := directory.LoadOrganisation(tx)
		if err != nil {
			return err
		}
		b, bad := d.check(org.Location(), s.now().UTC())
		if err := bad.Or(); err != nil {
			return err
		}
		if b.GroupID = g.ID; by.MemberID != 0 {
			b.CreatedBy = &by.MemberID
		}
		if err := tx.Omit("Author", "Uses").Create(&b).Error; err != nil {
			return fmt.Errorf("write the batch: %w", err)
		}
		rows := make([]Invite, b.Quantity)
		for i := range rows {
			rows[i] = Invite{BatchID: b.ID, Number: i + 1, GroupID: g.ID, Hash: s.inviteHash(s.inviteText(b, i+1)), MaxUses: b.MaxUses, ExpiresAt: b.ExpiresAt}
		}
		if err := tx.CreateInBatches(&rows, 500).Error; err != nil {
			return fmt.Errorf("write the invite codes: %w", err)
		}
		id = b.ID
		return s.trail.Record(tx, by, inviteEvent("invite.make", g, b))
	})
	return id, err
}

func inviteEvent(action string, g group.Group, b InviteBatch) audit.Event {
	return audit.Event{Action: action, DepartmentPath: g.DepartmentPath, Object: audit.Object{Kind: "group", ID: g.GID, Name: g.Name},
		Details: map[string]any{"batch": b.Label, "quantity": b.Quantity, "max_uses": b.MaxUses}}
}

// inviting reads a group for somebody who may change what it asks; strength
// locks its row, "" does not.
func (s *Service) inviting(tx *gorm.DB, by access.Actor, gid, strength string) (group.Group, error) {
	g, err := group.Load(tx, gid)
	if err != nil {
		return g, err
	}
	if strength != "" {
		var held []int64
		if err := tx.Table("groups").Clauses(clause.Locking{Strength: strength}).Where("id = ?", g.ID).Pluck("id", &held).Error; err != nil {
			return g, fmt.Errorf("hold the group: %w", err)
		}
		if g, err = group.LoadByID(tx, g.ID); err != nil {
			return g, err
		}
	}
	joined, err := joins(tx, by, g.ID)
	if err != nil {
		return g, err
	}
	return g, access.Check(by, access.GroupSettings, g.Object(joined))
}

// Invites lists the batches of a group, the newest first.
func (s *Service) Invites(ctx context.Context, by access.Actor, gid string) (all []InviteBatch, err error) {
	tx := s.db.WithContext(ctx)
	g, err := s.inviting(tx, by, gid, "")
	if err != nil {
		return nil, err
	}
	err = tx.Raw(`SELECT b.*, coalesce(m.name, '') AS author, (SELECT coalesce(sum(i.uses), 0) FROM invite_codes i WHERE i.batch_id = b.id) AS uses
		FROM invite_batches b LEFT JOIN members m ON m.id = b.created_by WHERE b.group_id = ? ORDER BY b.id DESC LIMIT ?`, g.ID, inviteBatches).Scan(&all).Error
	if err != nil {
		return nil, fmt.Errorf("list the invite batches: %w", err)
	}
	return all, nil
}

// InviteSheet is a batch with its codes in words, for a printed list or a file.
type InviteSheet struct {
	InviteBatch
	Group    group.Group
	Codes    []Invite
	Location *time.Location
}

// InviteList reads a batch with its codes in words. It is a download, so it stands in the trail.
func (s *Service) InviteList(ctx context.Context, by access.Actor, gid string, batch int64) (out InviteSheet, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if out.Group, err = s.inviting(tx, by, gid, ""); err != nil {
			return err
		}
		if out.InviteBatch, err = batchOf(tx, out.Group.ID, batch); err != nil {
			return err
		}
		if err := tx.Where("batch_id = ?", batch).Order("number").Find(&out.Codes).Error; err != nil {
			return fmt.Errorf("list the invite codes: %w", err)
		}
		for i := range out.Codes {
			out.Codes[i].Code = s.inviteText(out.InviteBatch, out.Codes[i].Number)
			out.Uses += out.Codes[i].Uses
		}
		org, err := directory.LoadOrganisation(tx)
		if out.Location = org.Location(); err != nil {
			return err
		}
		return s.trail.Record(tx, by, inviteEvent("invite.list", out.Group, out.InviteBatch))
	})
	return out, err
}

func batchOf(tx *gorm.DB, groupID, id int64) (b InviteBatch, err error) {
	err = tx.Omit("Author", "Uses").Where("group_id = ? AND id = ?", groupID, id).Take(&b).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return b, fault.NotFound
	} else if err != nil {
		return b, fmt.Errorf("read the invite batch: %w", err)
	}
	return b, nil
}

// RevokeInvites ends a batch, or only one number of it. What was revoked before stays so.
func (s *Service) RevokeInvites(ctx context.Context, by access.Actor, gid string, batch int64, number int) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		g, err := s.inviting(tx, by, gid, "SHARE")
		if err != nil {
			return err
		}
		b, err := batchOf(tx, g.ID, batch)
		if err != nil {
			return err
		}
		now, e := s.now().UTC(), inviteEvent("invite.revoke", g, b)
		done := tx.Exec("UPDATE invite_codes SET revoked_at = ? WHERE batch_id = ? AND revoked_at IS NULL AND (? = 0 OR number = ?)", now, b.ID, number, number)
		if done.Error != nil {
			return fmt.Errorf("revoke invite codes: %w", done.Error)
		}
		if number > 0 {
			e.Details["number"] = number
		} else if err := tx.Exec("UPDATE invite_batches SET revoked_at = ?, revoked_by = ? WHERE id = ? AND revoked_at IS NULL", now, by.MemberID, b.ID).Error; err != nil {
			return fmt.Errorf("revoke the batch: %w", err)
		}
		if done.RowsAffected == 0 {
			return nil
		}
		return s.trail.Record(tx, by, e)
	})
}
