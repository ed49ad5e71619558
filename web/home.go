package web

import (
	"context"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"doorplate/internal/access"
	"doorplate/internal/audit"
	"doorplate/internal/group"
	"doorplate/internal/i18n"
	"doorplate/internal/join"
	"doorplate/internal/paths"
	"doorplate/views"
)

// homeList is how many lines each card of the dashboard shows.
const homeList = 5

// showHome shows what waits for the reader.
func (s *server) showHome(c echo.Context) error {
	ctx, a := c.Request().Context(), actor(c)
	p := views.HomeProps{Manages: a.Manages()}
	var err error
	if !p.Manages {
		page, err := s.Groups.List(ctx, a, group.Filter{})
		if err != nil {
			return err
		}
		p.Groups = page.Lines
		if p.Asked, err = s.Joins.Own(ctx, a, homeList); err != nil {
			return err
		}
		if err := s.fillReminders(ctx, a, &p); err != nil {
			return err
		}
		return render(c, http.StatusOK, views.Home(p))
	}
	for _, fill := range []func(context.Context, access.Actor, *views.HomeProps) error{
		s.fillRequests, s.fillApprovals, s.fillCodes, s.fillFuse, s.fillGroups, s.fillRecert, s.fillPeople, s.fillHappened, s.fillReminders,
	} {
		if err := fill(ctx, a, &p); err != nil {
			return err
		}
	}
	if p.Days, err = s.Scans.Overview(ctx, a); err != nil {
		return err
	}
	return render(c, http.StatusOK, views.Home(p))
}

// figure adds a number that waits; more says that the count stopped at its limit.
func figure(ctx context.Context, p *views.HomeProps, key string, n int, more bool, href string) {
	value := fmt.Sprint(n)
	if more {
		value += "+"
	}
	why := "home.figure." + key + ".none"
	if n > 0 {
		p.Waiting++
		why = "home.figure." + key + ".some"
	}
	p.Figures = append(p.Figures, views.Figure{Name: i18n.T(ctx, "home.figure."+key), Value: value, Why: i18n.T(ctx, why), Href: href})
}

func (s *server) fillRequests(ctx context.Context, a access.Actor, p *views.HomeProps) error {
	if !access.Can(a, access.RequestsDecide, access.Object{}) {
		return nil
	}
	n, err := s.Joins.Waiting(ctx, a, views.CountLimit+1)
	if err != nil {
		return err
	}
	figure(ctx, p, "requests", min(n, views.CountLimit), n > views.CountLimit, paths.Requests)
	queue, err := s.Joins.Queue(ctx, a, join.Filter{})
	if err != nil {
		return err
	}
	p.Urgent = queue.Rows[:min(len(queue.Rows), homeList)]
	p.Queues, err = s.Joins.ByGroup(ctx, a, homeList)
	return err
}

func (s *server) fillApprovals(ctx context.Context, a access.Actor, p *views.HomeProps) error {
	if !access.Can(a, access.ApprovalsSee, access.Object{}) {
		return nil
	}
	n, err := s.Approvals.Waiting(ctx, a, views.CountLimit+1)
	if err != nil {
		return err
	}
	figure(ctx, p, "approvals", min(n, views.CountLimit), n > views.CountLimit, paths.Approvals)
	return nil
}

func (s *server) fillCodes(ctx context.Context, a access.Actor, p *views.HomeProps) error {
	if !access.Can(a, access.CodeDownload, access.Object{}) {
		return nil
	}
	list, err := s.Codes.All(ctx, a, "attention", "")
	if err != nil {
		return err
	}
	figure(ctx, p, "codes", len(list.Items), list.Next != "", paths.With(paths.Codes, "state", "attention"))
	p.Unhealthy = list.Items[:min(len(list.Items), homeList)]
	return nil
}

func (s *server) fillGroups(ctx context.Context, a access.Actor, p *views.HomeProps) error {
	page, err := s.Groups.List(ctx, a, group.Filter{Attention: true})
	if err != nil {
		return err
	}
	figure(ctx, p, "groups", len(page.Lines), page.Next != 0, paths.With(paths.Groups, "view", "attention"))
	return nil
}

func (s *server) fillHappened(ctx context.Context, a access.Actor, p *views.HomeProps) error {
	if !access.Can(a, access.AuditRead, access.Object{}) {
		return nil
	}
	var err error
	p.Happened, err = s.Audit.List(ctx, a, audit.Filter{}, homeList)
	return err
}

// fillPeople shows who came and who left below the reader.
func (s *server) fillPeople(ctx context.Context, a access.Actor, p *views.HomeProps) (err error) {
	if p.Arrivals, err = s.Groups.Arrivals(ctx, a, homeList); err != nil || !a.Super && !a.Head() {
		return err
	}
	p.Leavers, err = s.Directory.Leavers(ctx, a, homeList)
	return err
}
