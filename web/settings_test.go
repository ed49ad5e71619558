package web_test

import (
	"fmt"
	"strings"
	"testing"

	"doorplate/internal/directory"
)

func TestSettingsAreForSuperAdmins(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		for _, at := range []string{"/settings/organisation", "/settings/policies", "/settings/roles"} {
			want(t, s.as(s.w.Super).get(at), 200)
			want(t, s.as(s.w.Head).get(at), 403)
			want(t, s.as(s.w.Staff).get(at), 403)
		}
		want(t, s.as(s.w.Head).post("/settings/organisation", "name", "x"), 403)
		want(t, s.as(s.w.Head).post("/settings/policies", "ticket_seconds", "20"), 403)
		want(t, s.as(s.w.Head).post("/settings/policies/presets/1", "capacity", "20"), 403)
	})
}

func TestTheOrganisationAndItsRootDepartmentAreRenamed(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		super := s.as(s.w.Super)
		for field, value := range map[string]string{"name": "", "timezone": "Mars/Olympus", "language": "fr"} {
			rec := super.post("/settings/organisation", with([]string{"name", "新名", "timezone", "UTC", "language", "en"}, field, value)...)
			want(t, rec, 422)
			if page(t, rec).Find(".invalid-feedback").Length() != 1 {
				t.Errorf("%s: no message", field)
			}
		}
		want(t, super.post("/settings/organisation", "name", "../../etc/passwd", "timezone", "../../etc/passwd", "language", "en"), 422)
		want(t, super.post("/settings/organisation", "name", "  晨星 集团 ", "timezone", "Europe/Berlin", "language", "en"), 303)
		if n := s.count("SELECT count(*) FROM departments WHERE parent_id IS NULL AND name = '晨星 集团'"); n != 1 {
			t.Error("the root department keeps its old name")
		}
		if !strings.Contains(super.get("/groups").Body.String(), "晨星 集团") {
			t.Error("the side bar keeps the old name")
		}
		want(t, super.post("/settings/organisation", "name", "晨星 集团", "timezone", "Europe/Berlin", "language", "en"), 303)
		if n := s.count("SELECT count(*) FROM audit_entries WHERE action = 'organisation.save'"); n != 1 {
			t.Errorf("%d entries in the trail", n)
		}
	})
}

func TestPolicies(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		super := s.as(s.w.Super)
		for name, value := range map[string]string{"ticket_seconds": "0", "upstream_days": "-1", "address_per_10s": "1e9", "guest_prefixes": "86 <b>", "session_max_days": "", "approval_days": "91"} {
			rec := super.post("/settings/policies", name, value)
			want(t, rec, 422)
			if page(t, rec).Find("#"+name+"-h.invalid-feedback").Length() != 1 {
				t.Errorf("%s=%q: no message beside it", name, value)
			}
		}
		want(t, super.post("/settings/policies", "ticket_seconds", "20", "external_permanent", "off", "external_permanent", "on", "guest_prefixes", "+86, +852"), 303)
		p, err := directory.LoadPolicies(s.db)
		if err != nil || p.TicketSeconds != 20 || !p.ExternalPermanent || len(p.GuestPrefixes) != 2 || p.UpstreamDays != 7 {
			t.Errorf("policies = %+v, %v", p, err)
		}
		want(t, super.post("/settings/policies", "ticket_seconds", "15", "external_permanent", "off", "guest_prefixes", "+86"), 303)
		if n := s.count("SELECT count(*) FROM policies"); n != 0 {
			t.Errorf("%d rows differ from the defaults", n)
		}
		if n := s.count("SELECT count(*) FROM audit_entries WHERE action = 'policies.save'"); n != 2 {
			t.Errorf("%d entries in the trail", n)
		}
	})
}

func TestPresetsAreData(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		super := s.as(s.w.Super)
		at := fmt.Sprintf("/settings/policies/presets/%d", s.count("SELECT id FROM group_presets WHERE name_en = 'Personal WeChat group'"))
		fields := []string{"capacity", "500", "validity", "7d", "total_cap", "100", "daily_cap", "", "source", "第二篇文章"}
		for field, value := range map[string]string{"capacity": "0", "validity": "8d", "total_cap": "-1", "source": "", "daily_cap": "many"} {
			want(t, super.post(at, with(fields, field, value)...), 422)
		}
		want(t, super.post("/settings/policies/presets/4711", fields...), 404)
		want(t, super.post(at, fields...), 303, "/settings/policies")
		if n := s.count("SELECT capacity FROM group_presets WHERE name_en = 'Personal WeChat group' AND source = '第二篇文章'"); n != 500 {
			t.Errorf("capacity = %d", n)
		}
	})
}

func TestTheTableOfRightsNamesEveryRight(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		doc := page(t, s.as(s.w.Super).get("/settings/roles"))
		if rows := doc.Find("tbody tr").Length(); rows < 25 {
			t.Errorf("%d rows", rows)
		}
	})
}
