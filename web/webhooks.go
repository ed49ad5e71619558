package web

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"doorplate/internal/access"
	"doorplate/internal/notify"
	"doorplate/internal/paths"
	"doorplate/views"
)

func (s *server) listWebhooks(c echo.Context) error {
	return s.webhooksPage(c, http.StatusOK, notify.EndpointDraft{Kinds: []string{"request.approved", "group.milestone"}}, nil)
}

func (s *server) webhooksPage(c echo.Context, status int, d notify.EndpointDraft, bad map[string]string) error {
	all, err := s.Notices.Endpoints(c.Request().Context(), actor(c))
	if err != nil {
		return err
	}
	return render(c, status, views.SettingsWebhooks(views.WebhooksProps{Endpoints: all, Draft: d, Errors: bad}))
}

func endpointDraft(c echo.Context) notify.EndpointDraft {
	return notify.EndpointDraft{Label: c.FormValue("label"), URL: c.FormValue("url"), Kinds: c.Request().PostForm["kind"], Enabled: c.FormValue("enabled") == "on"}
}

func (s *server) createWebhook(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	d := endpointDraft(c)
	id, err := s.Notices.CreateEndpoint(c.Request().Context(), actor(c), d)
	if bad, ok := complaints(c, err); ok {
		return s.webhooksPage(c, http.StatusUnprocessableEntity, d, bad)
	}
	return s.done(c, err, "notices.hook.created", paths.To(paths.SettingsWebhook, id))
}

func (s *server) showWebhook(c echo.Context) error {
	id, err := rowID(c)
	if err != nil {
		return err
	}
	return s.webhookPage(c, http.StatusOK, views.WebhookProps{Secret: s.takeSecret(c, id)})
}

// webhookPage shows one endpoint; what p brings along was typed and is wrong.
func (s *server) webhookPage(c echo.Context, status int, p views.WebhookProps) error {
	id, err := rowID(c)
	if err != nil {
		return err
	}
	ctx, after := c.Request().Context(), queryNumber(c, "after")
	if p.Endpoint, err = s.Notices.Endpoint(ctx, actor(c), id); err != nil {
		return err
	}
	if p.Log, err = s.Notices.Log(ctx, actor(c), notify.LogFilter{Endpoint: id, After: after}); err != nil {
		return err
	}
	if p.Errors == nil {
		p.Draft = notify.EndpointDraft{Label: p.Endpoint.Label, URL: p.Endpoint.URL, Kinds: strings.Fields(p.Endpoint.Kinds), Enabled: p.Endpoint.Enabled}
	}
	p.First, p.OldSigns = after == 0, p.Endpoint.OldUntil != nil && p.Endpoint.OldUntil.After(s.Now())
	return render(c, status, views.SettingsWebhook(p))
}

func (s *server) saveWebhook(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := rowID(c)
	if err != nil {
		return err
	}
	d := endpointDraft(c)
	err = s.Notices.SaveEndpoint(c.Request().Context(), actor(c), id, d)
	if bad, ok := complaints(c, err); ok {
		return s.webhookPage(c, http.StatusUnprocessableEntity, views.WebhookProps{Draft: d, Errors: bad})
	}
	return s.done(c, err, "notices.saved", paths.To(paths.SettingsWebhook, id))
}

// secretCookie carries a secret, under seal, to the one page that shows it.
const secretCookie = "doorplate_secret"

func (s *server) revealSecret(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := rowID(c)
	if err != nil {
		return err
	}
	ticket, err := s.Notices.RevealSecret(c.Request().Context(), actor(c), id)
	if err != nil {
		return err
	}
	c.SetCookie(s.cookie(secretCookie, ticket, time.Minute))
	return c.Redirect(http.StatusSeeOther, paths.To(paths.SettingsWebhook, id))
}

// takeSecret returns the secret that was asked for a moment ago, once.
func (s *server) takeSecret(c echo.Context, id int64) string {
	ck, err := c.Cookie(s.cookieName(secretCookie))
	if err != nil {
		return ""
	}
	c.SetCookie(s.cookie(secretCookie, "", -1))
	return s.Notices.Revealed(actor(c), id, ck.Value)
}

func (s *server) rotateSecret(c echo.Context) error {
	return s.onWebhook(c, s.Notices.RotateSecret, "notices.hook.rotated", paths.SettingsWebhook)
}

func (s *server) testWebhook(c echo.Context) error {
	return s.onWebhook(c, s.Notices.TestEndpoint, "notices.hook.tested", paths.SettingsWebhook)
}

func (s *server) deleteWebhook(c echo.Context) error {
	return s.onWebhook(c, s.Notices.DeleteEndpoint, "notices.hook.removed", paths.SettingsWebhooks)
}

// onWebhook does one thing to an endpoint that takes nothing typed.
func (s *server) onWebhook(c echo.Context, do func(context.Context, access.Actor, int64) error, note, to string) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := rowID(c)
	if err != nil {
		return err
	}
	return s.done(c, do(c.Request().Context(), actor(c), id), note, paths.To(to, id))
}
