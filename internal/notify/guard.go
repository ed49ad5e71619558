package notify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"crypto/tls"
)

// errNotPublic is what a connection to an address inside is refused with.
var errNotPublic = errors.New("this address is not on the public internet")

// closed are the ranges that nothing of ours connects to for somebody else:
// this machine, private and shared networks, link-local (clouds keep their
// secrets there), documentation, benchmarks, multicast and what wraps IPv4 in IPv6.
var closed = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
	"192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

// globalV6 is all of IPv6 that is given out; NAT64, ULA, link-local, mapped and
// compatible addresses lie outside of it.
var globalV6 = netip.MustParsePrefix("2000::/3")

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		all[i] = netip.MustParsePrefix(t)
	}
	return all
}

// Public reports whether an address is one that a webhook may go to.
func Public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsValid() || a.Is6() && !globalV6.Contains(a) {
		return false
	}
	for _, p := range closed {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// onlyPublic is asked with the address that is really connected to, after every
// name was resolved: a name that changes its address meanwhile changes nothing.
func onlyPublic(network, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || network != "tcp4" && network != "tcp6" || !Public(at.Addr()) {
		return errNotPublic
	}
	return nil
}

// hookTimeout is what an endpoint has to answer within.
const hookTimeout = 10 * time.Second

// poster hands requests to other people's servers.
type poster struct {
	client *http.Client
	any    bool
}

func newPoster(opt Options) *poster {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	if !opt.AnyAddress {
		dialer.Control = onlyPublic
	}
	return &poster{any: opt.AnyAddress, client: &http.Client{
		Timeout: hookTimeout,
		// No proxy of the environment: it would connect where we must not.
		Transport: &http.Transport{DialContext: dialer.DialContext, TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: hookTimeout,
			MaxIdleConnsPerHost: 1, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true,
			TLSClientConfig: &tls.Config{RootCAs: opt.Roots, MinVersion: tls.VersionTLS12}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// check reports what is wrong with an endpoint's address: the catalog key below
// "notices.hook.error.", "" when nothing is. Names are judged when they are connected to.
func (p *poster) check(raw string) string {
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		return "missing"
	case len(raw) > maxURL:
		return "long"
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "" || strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "url"
	case u.User != nil:
		return "user"
	case u.Scheme != "https" && !(p.any && u.Scheme == "http"):
		return "https"
	case !p.any && inside(u.Hostname()):
		return "inside"
	}
	return ""
}

const maxURL = 500

// inside reports whether a host is one of ours by its very name. Numbers that
// are no address in the usual form (0x7f.1, 2130706433) are read as one by some
// resolvers, so they are refused too.
func inside(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if a, err := netip.ParseAddr(host); err == nil {
		return !Public(a)
	}
	last := host[strings.LastIndex(host, ".")+1:]
	number := last != "" && strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x")
	return number || !strings.Contains(host, ".") || last == "localhost" || last == "local" || last == "internal"
}

// post sends a body and reads no more of the answer than its status.
func (p *poster) post(ctx context.Context, to string, header map[string]string, body []byte) (int, error) {
	if bad := p.check(to); bad != "" {
		return 0, final{errNotPublic}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(string(body)))
	if err != nil {
		return 0, fmt.Errorf("ask the endpoint: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "doorplate")
	for name, value := range header {
		r.Header.Set(name, value)
	}
	answer, err := p.client.Do(r)
	var bare *url.Error
	var unknown *net.DNSError
	if errors.As(err, &unknown) {
		return 0, fmt.Errorf("ask the endpoint: %s", unknown.Err) // without our resolver's address
	} else if errors.As(err, &bare) {
		return 0, fmt.Errorf("ask the endpoint: %w", bare.Err) // the address may hold a token
	} else if err != nil {
		return 0, fmt.Errorf("ask the endpoint: %w", err)
	}
	defer answer.Body.Close()
	return answer.StatusCode, nil
}
