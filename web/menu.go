package web

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"doorplate/views"
)

func (s *server) showMenu(c echo.Context) error { return render(c, http.StatusOK, views.Menu()) }
