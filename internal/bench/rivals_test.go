package bench

import (
	"crypto/rand"
	"net/http"
	"time"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"doorplate/internal/i18n"
	"doorplate/internal/scan"
	"doorplate/views"
)

// rival is the same stack as ours, written the way it usually is. The headers
// are the ones that ours sends.
func rival(handle echo.HandlerFunc) http.Handler {
	e := echo.New()
	e.Pre(middleware.Recover(), func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			h := c.Response().Header()
			h.Set(echo.HeaderXRequestID, rand.Text()[:8])
			h.Set(echo.HeaderContentSecurityPolicy, "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'")
			h.Set(echo.HeaderXContentTypeOptions, "nosniff")
			h.Set(echo.HeaderReferrerPolicy, "same-origin")
			h.Set(echo.HeaderCacheControl, "no-store")
			h.Add(echo.HeaderVary, "Accept-Language")
			c.SetRequest(c.Request().WithContext(i18n.With(c.Request().Context(), i18n.Pick("", c.Request().Header.Get("Accept-Language")))))
			return next(c)
		}
	})
	e.GET("/j/:token", handle)
	return e
}

// pageOnly answers with a small page and needs no database.
func pageOnly() http.Handler {
	return rival(func(c echo.Context) error {
		buf := templ.GetBuffer()
		defer templ.ReleaseBuffer(buf)
		if err := views.Preview("晨星科技").Render(c.Request().Context(), buf); err != nil {
			return err
		}
		return c.HTMLBlob(http.StatusOK, buf.Bytes())
	})
}

// redirectOnly answers with nothing but where to go.
func redirectOnly() http.Handler {
	return rival(func(c echo.Context) error { return c.Redirect(http.StatusSeeOther, "/join/"+c.Param("token")) })
}

type rivalScan struct {
	ID      int64
	Ref     string
	At      time.Time
	CodeID  int64
	Outcome string
	Address string
	Device  string
	App     string
}

func (rivalScan) TableName() string { return "scans" }

type rivalCode struct {
	ID         int64
	ValidUntil *time.Time
	RevokedAt  *time.Time
}

func (rivalCode) TableName() string { return "codes" }

func newRivalScan(c echo.Context, code rivalCode) *rivalScan {
	return &rivalScan{Ref: rand.Text()[:12], At: time.Now().UTC(), CodeID: code.ID, Outcome: scan.Live, Address: c.RealIP(), Device: "mobile", App: "wechat"}
}

// perRequest looks the code up and inserts a row, each request by itself, and
// knows no caps and no counters. db is the same pool as ours.
func perRequest(db *gorm.DB) http.Handler {
	return rival(func(c echo.Context) error {
		tx := db.WithContext(c.Request().Context())
		var code rivalCode
		if err := tx.Where("public_id = ?", c.Param("token")).Take(&code).Error; err != nil {
			return err
		}
		if err := tx.Create(newRivalScan(c, code)).Error; err != nil {
			return err
		}
		return c.Redirect(http.StatusSeeOther, "/join/"+c.Param("token"))
	})
}

// rowLock keeps a strict cap the usual way: it locks the code's counter, looks
// at it, counts and inserts, in a transaction per request.
func rowLock(db *gorm.DB) http.Handler {
	return rival(func(c echo.Context) error {
		err := db.WithContext(c.Request().Context()).Transaction(func(tx *gorm.DB) error {
			var code rivalCode
			if err := tx.Where("public_id = ?", c.Param("token")).Take(&code).Error; err != nil {
				return err
			}
			var total int64
			if err := tx.Table("code_counters").Clauses(clause.Locking{Strength: "UPDATE"}).Where("code_id = ?", code.ID).Pluck("total", &total).Error; err != nil {
				return err
			}
			if total >= 1_000_000_000 {
				return c.NoContent(http.StatusTooManyRequests)
			}
			if err := tx.Table("code_counters").Where("code_id = ?", code.ID).Update("total", total+1).Error; err != nil {
				return err
			}
			return tx.Create(newRivalScan(c, code)).Error
		})
		if err != nil {
			return err
		}
		return c.Redirect(http.StatusSeeOther, "/join/"+c.Param("token"))
	})
}
