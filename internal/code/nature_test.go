package code_test

import (
	"errors"
	"testing"

	"doorplate/internal/access"
	"doorplate/internal/code"
	"doorplate/internal/fault"
	"doorplate/internal/group"
)

func wrongAt(err error, field string) string {
	var bad fault.Invalid
	errors.As(err, &bad)
	return bad[field].Key
}

// A training group's code has a password and an end; what hung before stays and
// is brought into line by the next form.
func TestATrainingCodeHasAPasswordAndAnEnd(t *testing.T) {
	copiesOnBoth(t, func(t *testing.T, w *world) {
		w.exec("UPDATE groups SET type = ? WHERE id = ?", group.Training, w.group)
		for _, c := range []struct {
			form  code.Form
			field string
		}{
			{code.Form{PasswordAsked: true}, "password"}, {code.Form{Validity: "30d", PasswordAsked: true}, "password"},
			{code.Form{Validity: code.Permanent, ConfirmPermanent: true, Password: "sesame"}, "validity"},
		} {
			if _, err := w.codes.Issue(ctx, w.Super, w.gid, c.form); wrongAt(err, c.field) == "" {
				t.Errorf("%+v: %v", c.form, err)
			}
		}
		id := w.issue(code.Form{Validity: "30d", Password: "sesame"})
		w.ok(w.codes.SaveTerms(ctx, w.Super, id, code.Form{Validity: code.Keep, Label: "新名字"})) // keeps the password
		if err := w.codes.SaveTerms(ctx, w.Super, id, code.Form{Validity: code.Keep, PasswordRemove: true}); wrongAt(err, "password") == "" {
			t.Errorf("the password is taken away: %v", err)
		}
		_, old := w.Code(t, w.db, w.group, "早就贴着", nil, w.Super.MemberID)
		if state := w.number("SELECT count(*) FROM codes WHERE public_id = ? AND revoked_at IS NULL AND suspended_at IS NULL", old); state != 1 {
			t.Error("a code that hung before is touched")
		}
		err := w.codes.SaveTerms(ctx, w.Super, old, code.Form{Validity: code.Keep, Label: "门", PasswordAsked: true})
		if wrongAt(err, "validity") == "" || wrongAt(err, "password") == "" {
			t.Errorf("the next form: %v", err)
		}
		w.ok(w.codes.SaveTerms(ctx, w.Super, old, code.Form{Validity: "30d", Password: "sesame"}))
		// A code of another group that leads here is asked the same.
		_, training := w.Group(t, w.db, "训练营", group.Training, group.Approval, w.Platform, 50)
		w.exec("UPDATE groups SET type = ? WHERE id = ?", group.Internal, w.group)
		plain := w.issue(code.Form{})
		if err := w.codes.AddTarget(ctx, w.Super, plain, training, 0); wrongAt(err, "group") == "" {
			t.Errorf("a code without a password leads to a training group: %v", err)
		}
		locked := w.issue(code.Form{Password: "sesame"})
		w.ok(w.codes.AddTarget(ctx, w.Super, locked, training, 0))
		if err := w.codes.SaveTerms(ctx, w.Super, locked, code.Form{Validity: code.Keep, PasswordRemove: true}); wrongAt(err, "password") == "" {
			t.Errorf("and loses the one it has: %v", err)
		}
	})
}

func TestNoCodesFromAPhone(t *testing.T) {
	copiesOnBoth(t, func(t *testing.T, w *world) {
		phone := w.Super
		phone.Device = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Mobile Safari/537.36"
		issue := func(by access.Actor) error {
			_, err := w.codes.Issue(ctx, by, w.gid, code.Form{})
			return err
		}
		w.ok(issue(phone))
		w.exec("INSERT INTO policies (name, value, updated_at) VALUES ('no_mobile_creation', 'true', ?)", w.clock.Now())
		var forbidden fault.Forbidden
		if err := issue(phone); !errors.As(err, &forbidden) || forbidden.Right != "create.phone" {
			t.Errorf("from a phone: %v", err)
		}
		w.ok(issue(w.Super))
	})
}
