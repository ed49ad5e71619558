package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
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
