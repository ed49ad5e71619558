package web

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"gorm.io/gorm"

	"doorplate/internal/audit"
	"doorplate/internal/directory"
	"doorplate/internal/fault"
	"doorplate/internal/testkit"
)

type known struct{}

// A slow upload costs none of the time that the database gets.
func TestTheDatabasesTimeStartsAfterTheBody(t *testing.T) {
	old := databaseTimeout
	defer func() { databaseTimeout = old }()
	databaseTimeout = time.Millisecond
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("a=b"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	c := echo.New().NewContext(r.WithContext(context.WithValue(r.Context(), known{}, "kept")), httptest.NewRecorder())
	var during context.Context
	err := (&server{}).guard(route{who: public, handle: func(_ *server, c echo.Context) error {
		<-c.Request().Context().Done()
		databaseTimeout = time.Hour
		if err := form(c); err != nil {
			return err
		}
		during = c.Request().Context()
		if during.Err() != nil || during.Value(known{}) != "kept" || c.FormValue("a") != "b" {
			t.Errorf("after the body: %v, %v", during.Err(), during.Value(known{}))
		}
		return nil
	}})(c)
	if err != nil || during.Err() == nil {
		t.Errorf("answered %v; after the answer: %v", err, during.Err())
	}
}

// Nor does taking a large workbook apart.
func TestTheDatabasesTimeStartsAfterTheFileIsOpen(t *testing.T) {
	testkit.DB(t, func(t *testing.T, db *gorm.DB) {
		clock := testkit.NewClock()
		w := testkit.Org(t, db, clock)
		s := &server{Deps: Deps{Directory: directory.New(db, audit.New(testkit.Keys(), clock.Now), clock.Now)}}
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		over, cancel := context.WithCancel(r.Context())
		cancel() // the file took as long as that
		c := echo.New().NewContext(r.WithContext(over), httptest.NewRecorder())
		c.Set(actorKey, w.Super)
		c.Set(renewKey, func() { c.SetRequest(r) })
		id, err := s.receive(c, &directory.Upload{FileName: "a.csv", Content: []byte("姓名,手机\n李雷,13900000001\n")})
		if id == 0 || err != nil {
			t.Errorf("import %d, %v", id, err)
		}
		_, err = s.receive(c, &directory.Upload{FileName: "a.csv", Content: []byte{0}})
		if !errors.As(err, new(fault.Invalid)) {
			t.Error(err)
		}
	})
}
