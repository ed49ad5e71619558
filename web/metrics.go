package web

import (
	"crypto/subtle"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"doorplate/internal/scan"
)

// meters count requests by route: rate, errors and duration.
type meters struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	handler  http.Handler
}

func newMeters(scans *scan.Service) *meters {
	m := &meters{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "doorplate_http_requests_total", Help: "Answered requests."}, []string{"method", "route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "doorplate_http_request_seconds", Help: "Time to answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}}, []string{"route"}),
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(m.requests, m.seconds, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "doorplate_scan_queue", Help: "Scans that wait for the writer."}, func() float64 { return float64(scans.Load().Queue) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "doorplate_scan_batches_total", Help: "Transactions of the scan writer."}, func() float64 { return float64(scans.Load().Batches) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "doorplate_scans_written_total", Help: "Scans in these transactions; their ratio is the size of a batch."}, func() float64 { return float64(scans.Load().Written) }))
	m.handler = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	return m
}

// measure wraps one route. The label is the pattern: addresses would be without number.
func (s *server) measure(path string, next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		began := time.Now()
		err := next(c)
		if err != nil {
			c.Error(err) // answers now, so that the status below is the one that was sent
		}
		s.meters.requests.WithLabelValues(c.Request().Method, path, strconv.Itoa(c.Response().Status)).Inc()
		s.meters.seconds.WithLabelValues(path).Observe(time.Since(began).Seconds())
		return nil
	}
}

// metrics answers Prometheus: to a direct loopback peer, or with the token.
// Anybody else learns nothing, not even that it exists.
func (s *server) metrics(c echo.Context) error {
	if !s.mayScrape(c.Request()) {
		return echo.ErrNotFound
	}
	s.meters.handler.ServeHTTP(c.Response(), c.Request())
	return nil
}

func (s *server) mayScrape(r *http.Request) bool {
	if token := s.Config.MetricsToken; token != "" {
		given, ok := strings.CutPrefix(r.Header.Get(echo.HeaderAuthorization), "Bearer ")
		if ok && subtle.ConstantTimeCompare([]byte(given), []byte(token)) == 1 {
			return true
		}
	}
	peer, err := netip.ParseAddr(addressOf(r.RemoteAddr))
	return err == nil && peer.IsLoopback() && !forwarded(r)
}

// forwarded reports whether a proxy on this machine passes somebody else's request on.
func forwarded(r *http.Request) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via"} {
		if r.Header.Get(name) != "" {
			return true
		}
	}
	return false
}
