package web

import (
	"github.com/labstack/echo/v4"

	"doorplate/internal/fault"
)

func (s *server) showHome(c echo.Context) error             { return fault.NotFound }
func (s *server) downloadApprovalFile(c echo.Context) error { return fault.NotFound }
func (s *server) requestExport(c echo.Context) error        { return fault.NotFound }
func (s *server) showAuditExport(c echo.Context) error      { return fault.NotFound }
