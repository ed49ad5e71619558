package web

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"doorplate/internal/i18n"
	"doorplate/internal/paths"
	"doorplate/views"
)

// inviteCookie carries a link that was just made to the one page that shows it.
const inviteCookie = "doorplate_invite"

func (s *server) showInvite(c echo.Context) error {
	id, err := rowID(c)
	if err != nil {
		return err
	}
	who, err := s.Auth.Invitee(c.Request().Context(), actor(c), id)
	if err != nil {
		return err
	}
	p := views.InviteProps{MemberID: id, Name: who.Name, Phone: views.MaskPhone(who.Phone), CanSend: s.Config.SMS != "log"}
	p.Link, p.Sent = s.takeInvitation(c, id)
	return render(c, http.StatusOK, views.Invite(p))
}

// takeInvitation returns the link that was made for this member a moment ago,
// once. The cookie reads id.token.shown or id.token.sms.
func (s *server) takeInvitation(c echo.Context, id int64) (link string, sent bool) {
	ck, err := c.Cookie(s.cookieName(inviteCookie))
	if err != nil {
		return "", false
	}
	c.SetCookie(s.cookie(inviteCookie, "", -1))
	parts := strings.Split(ck.Value, ".")
	if len(parts) != 3 || parts[0] != strconv.FormatInt(id, 10) {
		return "", false
	}
	return s.linkURL(parts[1]), parts[2] == "sms"
}

func (s *server) linkURL(token string) string {
	return s.Config.BaseURL + paths.To(paths.LoginLink, token)
}

func (s *server) inviteMember(c echo.Context) error {
	if err := form(c); err != nil {
		return err
	}
	id, err := rowID(c)
	if err != nil {
		return err
	}
	send := c.FormValue("send") != "" && s.Config.SMS != "log"
	ctx := c.Request().Context()
	token, err := s.Auth.Invite(ctx, actor(c), id, i18n.Lang(ctx), send, s.linkURL)
	if err != nil {
		return err
	}
	how := "shown"
	if send {
		how = "sms"
	}
	c.SetCookie(s.cookie(inviteCookie, strconv.FormatInt(id, 10)+"."+token+"."+how, 2*time.Minute))
	return c.Redirect(http.StatusSeeOther, paths.To(paths.MemberInvite, id))
}
