package web

import (
	"github.com/labstack/echo/v4"

	"doorplate/internal/fault"
)

func (s *server) listCodes(c echo.Context) error         { return fault.NotFound }
func (s *server) listGroupCodes(c echo.Context) error    { return fault.NotFound }
func (s *server) newCode(c echo.Context) error           { return fault.NotFound }
func (s *server) issueCode(c echo.Context) error         { return fault.NotFound }
func (s *server) showCode(c echo.Context) error          { return fault.NotFound }
func (s *server) downloadPNG(c echo.Context) error       { return fault.NotFound }
func (s *server) downloadSVG(c echo.Context) error       { return fault.NotFound }
func (s *server) downloadScans(c echo.Context) error     { return fault.NotFound }
func (s *server) confirmRevoke(c echo.Context) error     { return fault.NotFound }
func (s *server) revokeCode(c echo.Context) error        { return fault.NotFound }
func (s *server) confirmRegenerate(c echo.Context) error { return fault.NotFound }
func (s *server) regenerateCode(c echo.Context) error    { return fault.NotFound }
func (s *server) suspendCode(c echo.Context) error       { return fault.NotFound }
func (s *server) resumeCode(c echo.Context) error        { return fault.NotFound }
func (s *server) adoptCode(c echo.Context) error         { return fault.NotFound }
func (s *server) scanCode(c echo.Context) error          { return fault.NotFound }
