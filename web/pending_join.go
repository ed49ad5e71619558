package web

import (
	"github.com/labstack/echo/v4"

	"doorplate/internal/fault"
)

func (s *server) listRequests(c echo.Context) error    { return fault.NotFound }
func (s *server) showRequest(c echo.Context) error     { return fault.NotFound }
func (s *server) decideRequests(c echo.Context) error  { return fault.NotFound }
func (s *server) showTypedCode(c echo.Context) error   { return fault.NotFound }
func (s *server) submitTypedCode(c echo.Context) error { return fault.NotFound }
func (s *server) showJoin(c echo.Context) error        { return fault.NotFound }
func (s *server) submitJoin(c echo.Context) error      { return fault.NotFound }
func (s *server) showJoinEntry(c echo.Context) error   { return fault.NotFound }
func (s *server) withdrawRequest(c echo.Context) error { return fault.NotFound }
func (s *server) redeemTicket(c echo.Context) error    { return fault.NotFound }
