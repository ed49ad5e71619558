package web

import (
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"doorplate/internal/fault"
	"doorplate/internal/notify"
	"doorplate/internal/paths"
	"doorplate/views"
)

func (s *server) listNotices(c echo.Context) error {
	after := queryNumber(c, "after")
	page, err := s.Notices.List(c.Request().Context(), actor(c), after)
	if err != nil {
		return err
	}
	return render(c, http.StatusOK, views.Notices(views.NoticesProps{BellPage: page, First: after == 0}))
}

// readNotices marks one notice or all of them, and opens what the one is about.
func (s *server) readNotices(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	typed := c.FormValue("id")
	if typed == "" {
		_, err := s.Notices.Read(c.Request().Context(), actor(c), 0)
		return s.done(c, err, "notices.read.done", paths.Notices)
	}
	id, err := strconv.ParseInt(typed, 10, 64)
	if err != nil || id <= 0 {
		return fault.NotFound
	}
	href, err := s.Notices.Read(c.Request().Context(), actor(c), id)
	if err != nil {
		return err
	}
	if href == "" || c.FormValue("open") == "" {
		href = paths.Notices
	}
	return c.Redirect(http.StatusSeeOther, paths.Local(href))
}

func (s *server) showNoticeSettings(c echo.Context) error {
	return s.noticeSettingsPage(c, http.StatusOK, nil, nil)
}

func (s *server) noticeSettingsPage(c echo.Context, status int, typed *notify.Settings, bad map[string]string) error {
	p, err := s.Notices.Settings(c.Request().Context(), actor(c))
	if err != nil {
		return err
	}
	if typed != nil {
		p.Settings = *typed
	}
	return render(c, status, views.NoticeSettings(views.NoticeSettingsProps{SettingsPage: p, Errors: bad}))
}

func (s *server) saveNoticeSettings(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	d := notify.Settings{Mail: c.FormValue("mail") == "on", SMS: c.FormValue("sms") == "on", Digest: c.FormValue("digest"),
		QuietFrom: c.FormValue("quiet_from"), QuietTo: c.FormValue("quiet_to"), Language: c.FormValue("language")}
	err := s.Notices.SaveSettings(c.Request().Context(), actor(c), d)
	if bad, ok := complaints(c, err); ok {
		return s.noticeSettingsPage(c, http.StatusUnprocessableEntity, &d, bad)
	}
	return s.done(c, err, "notices.saved", paths.NoticeSettings)
}

func (s *server) showMail(c echo.Context) error {
	p, err := s.Notices.MailServer(c.Request().Context(), actor(c))
	if err != nil {
		return err
	}
	return render(c, http.StatusOK, views.SettingsMail(views.MailProps{MailPage: p}))
}

func (s *server) saveMail(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	ctx, d := c.Request().Context(), notify.MailDraft{Host: c.FormValue("host"), Port: c.FormValue("port"), Security: c.FormValue("security"),
		Username: c.FormValue("username"), Password: c.FormValue("password"), Sender: c.FormValue("sender")}
	err := s.Notices.SaveMail(ctx, actor(c), d)
	if bad, ok := complaints(c, err); ok {
		p, err := s.Notices.MailServer(ctx, actor(c))
		if err != nil {
			return err
		}
		p.Draft = d
		return render(c, http.StatusUnprocessableEntity, views.SettingsMail(views.MailProps{MailPage: p, Errors: bad}))
	}
	return s.done(c, err, "notices.mail.saved", paths.SettingsMail)
}

func (s *server) testMail(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	to, err := s.Notices.TestMail(c.Request().Context(), actor(c))
	if err != nil {
		return err
	}
	s.flash(c, "ok", "notices.mail.tested", "Address", to)
	return c.Redirect(http.StatusSeeOther, paths.SettingsMail)
}

func (s *server) listMessages(c echo.Context) error {
	f := notify.LogFilter{Channel: queryText(c, "channel"), State: queryText(c, "state"), After: queryNumber(c, "after")}
	page, err := s.Notices.Log(c.Request().Context(), actor(c), f)
	if err != nil {
		return err
	}
	return render(c, http.StatusOK, views.SettingsMessages(views.MessagesProps{LogPage: page, Filter: f}))
}

func (s *server) retryMessage(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := rowID(c)
	if err != nil {
		return err
	}
	if _, err := s.Notices.Retry(c.Request().Context(), actor(c), id); err != nil {
		return err
	}
	back := paths.SettingsMessages
	if typed := c.FormValue("back"); typed != "" {
		back = paths.Local(typed)
	}
	return s.done(c, nil, "notices.log.retried", back)
}

func (s *server) thawMessages(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	return s.done(c, s.Notices.Thaw(c.Request().Context(), actor(c)), "notices.frozen.thawed", paths.SettingsMessages)
}
