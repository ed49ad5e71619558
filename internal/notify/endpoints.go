package notify

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/events"
	"doorplate/internal/fault"
	"doorplate/internal/secret"
)

// Endpoint is somewhere that webhooks go to.
type Endpoint struct {
	ID            int64
	Label         string
	URL           string
	Kinds         string // separated by spaces; "*" = all
	Secret        []byte // sealed
	SecretShownAt *time.Time
	OldSecret     []byte
	OldUntil      *time.Time
	Enabled       bool
	Failures      int // in a row
	DisabledWhy   string
	CreatedBy     *int64
	CreatedAt     time.Time
	UpdatedAt     time.Time
	DeletedAt     *time.Time
}

// TableName is for gorm.
func (Endpoint) TableName() string { return "webhook_endpoints" }

// Wants reports whether the endpoint asked for a kind of fact.
func (e Endpoint) Wants(kind string) bool {
	return e.Kinds == "*" || slices.Contains(strings.Fields(e.Kinds), kind)
}

// Limits of endpoints.
const (
	maxEndpoints = 20
	maxLabel     = 60
	// maxFailures in a row switch an endpoint off.
	maxFailures = 50
	// oldSecretDays is how long a replaced secret still signs too.
	oldSecretDays = 1
)

// secretPurpose seals the secrets of endpoints.
const secretPurpose = "webhook secret"

func liveEndpoints(tx *gorm.DB) (all []Endpoint, err error) {
	err = tx.Where("deleted_at IS NULL AND enabled = ?", true).Order("id").Find(&all).Error
	if err != nil {
		return nil, fmt.Errorf("read the endpoints: %w", err)
	}
	return all, nil
}

// EndpointDraft is what the form says.
type EndpointDraft struct {
	Label, URL string
	Kinds      []string
	Enabled    bool
}

func (s *Service) checkEndpoint(d *EndpointDraft) error {
	wrong := fault.Invalid{}
	d.Label, d.URL = strings.Join(strings.Fields(d.Label), " "), strings.TrimSpace(d.URL)
	if n := utf8.RuneCountInString(d.Label); n == 0 || n > maxLabel {
		wrong["label"] = fault.Msg("notices.hook.error.label", "Max", maxLabel)
	}
	if bad := s.hooks.check(d.URL); bad != "" {
		wrong["url"] = fault.Msg("notices.hook.error."+bad, "Max", maxURL)
	}
	d.Kinds = slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(d.Kinds))), func(k string) bool { return !slices.Contains(HookKinds, k) })
	if len(d.Kinds) == 0 {
		wrong["kind"] = fault.Msg("notices.hook.error.kinds")
	}
	return wrong.Or()
}

// Endpoints lists them for super admins, newest first.
func (s *Service) Endpoints(ctx context.Context, by access.Actor) (all []Endpoint, err error) {
	if err := access.Check(by, access.OrganisationEdit, access.Object{}); err != nil {
		return nil, err
	}
	err = s.db.WithContext(ctx).Where("deleted_at IS NULL").Order("id DESC").Find(&all).Error
	if err != nil {
		return nil, fmt.Errorf("list the endpoints: %w", err)
	}
	return all, nil
}

// Endpoint reads one.
func (s *Service) Endpoint(ctx context.Context, by access.Actor, id int64) (Endpoint, error) {
	if err := access.Check(by, access.OrganisationEdit, access.Object{}); err != nil {
		return Endpoint{}, err
	}
	return endpoint(s.db.WithContext(ctx), id)
}

func endpoint(tx *gorm.DB, id int64) (e Endpoint, err error) {
	err = tx.Where("id = ? AND deleted_at IS NULL", id).Take(&e).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return e, fault.NotFound
	} else if err != nil {
		return e, fmt.Errorf("read the endpoint: %w", err)
	}
	return e, nil
}

// CreateEndpoint adds one; its secret can be looked at once.
func (s *Service) CreateEndpoint(ctx context.Context, by access.Actor, d EndpointDraft) (id int64, err error) {
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := access.Check(by, access.OrganisationEdit, access.Object{}); err != nil {
			return err
		}
		if err := s.checkEndpoint(&d); err != nil {
			return err
		}
		var there int64
		if err := tx.Model(&Endpoint{}).Where("deleted_at IS NULL").Count(&there).Error; err != nil {
			return fmt.Errorf("count the endpoints: %w", err)
		}
		if there >= maxEndpoints {
			return fault.Conflict{Message: fault.Msg("notices.hook.error.many", "Max", maxEndpoints)}
		}
		now := s.now().UTC()
		e := Endpoint{Label: d.Label, URL: d.URL, Kinds: strings.Join(d.Kinds, " "), Secret: s.newSecret(), Enabled: true, CreatedBy: &by.MemberID, CreatedAt: now, UpdatedAt: now}
		if err := tx.Create(&e).Error; err != nil {
			return fmt.Errorf("write the endpoint: %w", err)
		}
		id = e.ID
		return s.trail.Record(tx, by, audit.Event{Action: "webhook.create", Object: e.object(), Details: map[string]any{"kinds": e.Kinds}})
	})
	return id, err
}

func (e Endpoint) object() audit.Object {
	return audit.Object{Kind: "webhook", ID: strconv.FormatInt(e.ID, 10), Name: e.Label}
}

// newSecret is 32 random bytes, sealed.
func (s *Service) newSecret() []byte { return s.keys.Seal(secretPurpose, []byte(secret.Token(32))) }

// key opens a secret: the bytes that sign.
func (s *Service) key(sealed []byte) ([]byte, error) {
	token, err := s.keys.Open(secretPurpose, sealed)
	if err != nil {
		return nil, err
	}
	return base64.RawURLEncoding.DecodeString(string(token))
}

// change does something to an endpoint under its lock.
func (s *Service) change(ctx context.Context, by access.Actor, id int64, do func(tx *gorm.DB, e Endpoint) (map[string]any, *audit.Event, error)) error {
	return s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := access.Check(by, access.OrganisationEdit, access.Object{}); err != nil {
			return err
		}
		e, err := endpoint(tx.Clauses(clause.Locking{Strength: "UPDATE"}), id)
		if err != nil {
			return err
		}
		set, event, err := do(tx, e)
		if err != nil || event == nil {
			return err
		}
		set["updated_at"] = s.now().UTC()
		if err := tx.Model(&Endpoint{}).Where("id = ?", id).Updates(set).Error; err != nil {
			return fmt.Errorf("change the endpoint: %w", err)
		}
		event.Object = e.object()
		return s.trail.Record(tx, by, *event)
	})
}

// SaveEndpoint changes what an endpoint is and gets. Switching it on again
// forgets its failures.
func (s *Service) SaveEndpoint(ctx context.Context, by access.Actor, id int64, d EndpointDraft) error {
	return s.change(ctx, by, id, func(_ *gorm.DB, e Endpoint) (map[string]any, *audit.Event, error) {
		if err := s.checkEndpoint(&d); err != nil {
			return nil, nil, err
		}
		set := map[string]any{"label": d.Label, "url": d.URL, "kinds": strings.Join(d.Kinds, " "), "enabled": d.Enabled}
		if d.Enabled && !e.Enabled {
			set["failures"], set["disabled_why"] = 0, ""
		}
		return set, &audit.Event{Action: "webhook.save", Details: map[string]any{"kinds": set["kinds"], "enabled": d.Enabled, "enabled_was": e.Enabled,
			"address_changed": d.URL != e.URL}}, nil
	})
}

// RotateSecret gives an endpoint a new secret; the old one signs too for a day.
func (s *Service) RotateSecret(ctx context.Context, by access.Actor, id int64) error {
	return s.change(ctx, by, id, func(_ *gorm.DB, e Endpoint) (map[string]any, *audit.Event, error) {
		set := map[string]any{"secret": s.newSecret(), "secret_shown_at": nil, "old_secret": e.Secret, "old_until": s.now().UTC().AddDate(0, 0, oldSecretDays)}
		return set, &audit.Event{Action: "webhook.rotate"}, nil
	})
}

// RevealSecret lets a secret be looked at, once: the ticket it returns is the
// secret under seal, for the page that follows (Revealed).
func (s *Service) RevealSecret(ctx context.Context, by access.Actor, id int64) (ticket string, err error) {
	err = s.change(ctx, by, id, func(_ *gorm.DB, e Endpoint) (map[string]any, *audit.Event, error) {
		if e.SecretShownAt != nil {
			return nil, nil, fault.Conflict{Message: fault.Msg("notices.hook.error.shown")}
		}
		key, err := s.key(e.Secret)
		if err != nil {
			return nil, nil, err
		}
		plain := fmt.Sprintf("%d %d %s", id, by.MemberID, secretPrefix+base64.StdEncoding.EncodeToString(key))
		ticket = base64.RawURLEncoding.EncodeToString(s.keys.Seal(ticketPurpose, []byte(plain)))
		set := map[string]any{"secret_shown_at": s.now().UTC()}
		return set, &audit.Event{Action: "webhook.reveal"}, nil
	})
	return ticket, err
}

const ticketPurpose = "webhook secret on its way"

// Revealed opens a ticket of RevealSecret for who asked for it; "" when it is none.
func (s *Service) Revealed(by access.Actor, id int64, ticket string) string {
	sealed, err := base64.RawURLEncoding.DecodeString(ticket)
	if err != nil {
		return ""
	}
	plain, err := s.keys.Open(ticketPurpose, sealed)
	if err != nil {
		return ""
	}
	text, ours := strings.CutPrefix(string(plain), fmt.Sprintf("%d %d ", id, by.MemberID))
	if !ours {
		return ""
	}
	return text
}

// DeleteEndpoint ends an endpoint; what waits for it is given up.
func (s *Service) DeleteEndpoint(ctx context.Context, by access.Actor, id int64) error {
	return s.change(ctx, by, id, func(tx *gorm.DB, _ Endpoint) (map[string]any, *audit.Event, error) {
		err := tx.Model(&Message{}).Where("endpoint_id = ? AND state IN ?", id, []string{Queued, Failed}).
			Updates(map[string]any{"state": GivenUp, "locked_until": nil, "updated_at": s.now().UTC()}).Error
		if err != nil {
			return nil, nil, fmt.Errorf("give up what waits: %w", err)
		}
		set := map[string]any{"deleted_at": s.now().UTC(), "enabled": false}
		return set, &audit.Event{Action: "webhook.delete"}, nil
	})
}

// TestEndpoint queues a message that says nothing but that it is a test.
func (s *Service) TestEndpoint(ctx context.Context, by access.Actor, id int64) error {
	return s.change(ctx, by, id, func(tx *gorm.DB, e Endpoint) (map[string]any, *audit.Event, error) {
		if !e.Enabled {
			return nil, nil, fault.Conflict{Message: fault.Msg("notices.hook.error.off")}
		}
		now := s.now().UTC()
		b := &batch{s: s, tx: tx, now: now}
		return map[string]any{}, &audit.Event{Action: "webhook.test"}, b.toEndpoint(e, testKind, nil, payload{Type: testKind, Timestamp: now, Data: map[string]any{}})
	})
}

// rateEndpoint counts failures in a row and switches off what fails for long.
func (s *Service) rateEndpoint(tx *gorm.DB, id int64, t try, now time.Time) error {
	if t.err == nil {
		return tx.Model(&Endpoint{}).Where("id = ? AND failures > 0", id).UpdateColumn("failures", 0).Error
	}
	err := tx.Model(&Endpoint{}).Where("id = ?", id).UpdateColumn("failures", gorm.Expr("failures + 1")).Error
	if err != nil {
		return fmt.Errorf("count a failure: %w", err)
	}
	off := tx.Model(&Endpoint{}).Where("id = ? AND enabled = ? AND failures >= ?", id, true, maxFailures).
		Updates(map[string]any{"enabled": false, "disabled_why": "failures", "updated_at": now})
	if off.Error != nil || off.RowsAffected == 0 {
		return off.Error
	}
	e, err := endpoint(tx, id)
	if err != nil {
		return err
	}
	if err := s.trail.Record(tx, access.Background("notices"), audit.Event{Action: "webhook.off", Object: e.object(), Details: map[string]any{"failures": e.Failures}}); err != nil {
		return err
	}
	return events.Publish(tx, events.Event{Kind: events.EndpointOff, Data: jsonText(map[string]any{"endpoint": id, "label": e.Label}), At: now})
}
