package web

import (
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/sessions"
	"github.com/labstack/echo/v4"

	"doorplate/internal/access"
	"doorplate/internal/fault"
)

const sessionCookie = "doorplate_session"

// sessionStore keeps nothing but a random id in the cookie; the row behind it
// is auth's. It implements sessions.Store.
type sessionStore struct{ *server }

// Get returns the request's session, read once per request.
func (st sessionStore) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(st, name)
}

// New reads the cookie. IsNew says that there is none.
func (st sessionStore) New(r *http.Request, name string) (*sessions.Session, error) {
	session := sessions.NewSession(st, name)
	session.IsNew = true
	if ck, err := r.Cookie(st.cookieName(name)); err == nil && ck.Value != "" {
		session.ID, session.IsNew = ck.Value, false
	}
	return session, nil
}

// Save writes the id into the cookie, or removes the cookie when the id is empty.
func (st sessionStore) Save(_ *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	age := 30 * 24 * time.Hour
	if session.ID == "" {
		age = -1
	}
	http.SetCookie(w, st.cookie(session.Name(), session.ID, age))
	return nil
}

func (s *server) session(c echo.Context) (*sessions.Session, error) {
	return sessionStore{s}.Get(c.Request(), sessionCookie)
}

// signedIn finds out whose session the request carries; fault.NotFound when nobody's.
func (s *server) signedIn(c echo.Context) (access.Actor, error) {
	session, err := s.session(c)
	if err != nil {
		return access.Actor{}, err
	}
	if session.IsNew {
		return access.Actor{}, fault.NotFound
	}
	return s.Auth.ActorOf(c.Request().Context(), session.ID)
}

// startSession ends the browser's old session and opens a new id for the member,
// so that an id known before sign-in is worth nothing after it.
func (s *server) startSession(c echo.Context, id string) error {
	session, err := s.session(c)
	if err != nil {
		return err
	}
	if !session.IsNew {
		if err := s.Auth.EndSession(c.Request().Context(), session.ID); err != nil {
			return err
		}
	}
	session.ID = id
	return session.Save(c.Request(), c.Response())
}

// device names the browser for the audit trail: short, without versions' noise.
func device(userAgent string) string {
	runes := []rune(strings.TrimSpace(userAgent))
	return string(runes[:min(len(runes), 160)])
}
