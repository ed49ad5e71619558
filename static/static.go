// Package static carries the stylesheets, scripts and pictures inside the binary and serves them under /static/.
package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed css img js vendor
var files embed.FS

const (
	prefix    = "/static/"
	immutable = "public, max-age=31536000, immutable"
)

// asset is one embedded file, ready to be sent.
type asset struct {
	url  string // with the hash of the content in it
	mime string
	etag string // without quotes
	body []byte
	// gzipped packs the body at the first request for it; nil when packing gains nothing.
	gzipped func() []byte
}

var (
	byName = load(files)
	byURL  = index(byName)
)

// Path returns the URL of an embedded file, such as "css/app.css", under a name that changes with the content, such as
// "/static/css/app.1a2b3c4d.css". It panics on an unknown name: that is a typing error in a page.
func Path(name string) string {
	a, ok := byName[name]
	if !ok {
		panic("static: no embedded file " + strconv.Quote(name))
	}
	return a.url
}

// Handler serves /static/…: names from Path for a year, plain names with no-cache, anything else 404.
// It expects the full request path, so do not strip the prefix.
func Handler() http.Handler { return http.HandlerFunc(serve) }

func serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	if a, ok := byURL[r.URL.Path]; ok {
		a.send(w, r, immutable)
		return
	}
	if a, ok := byName[strings.TrimPrefix(r.URL.Path, prefix)]; ok && strings.HasPrefix(r.URL.Path, prefix) {
		a.send(w, r, "no-cache")
		return
	}
	// A missing name must not be remembered: during a roll-out the next instance may know it.
	w.Header().Set("Cache-Control", "no-store")
	http.NotFound(w, r)
}

// send answers one request, in the packed form when the client takes it.
func (a *asset) send(w http.ResponseWriter, r *http.Request, cache string) {
	h := w.Header()
	h.Set("Cache-Control", cache)
	h.Set("Content-Type", a.mime)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Accept-Encoding")
	body, etag := a.body, a.etag
	if acceptsGzip(r.Header.Values("Accept-Encoding")) {
		if packed := a.gzipped(); packed != nil {
			body, etag = packed, a.etag+"-gz"
			h.Set("Content-Encoding", "gzip")
			// ServeContent leaves the length out of an encoded answer.
			h.Set("Content-Length", strconv.Itoa(len(packed)))
		}
	}
	h.Set("ETag", `"`+etag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// acceptsGzip reads Accept-Encoding (RFC 9110, 12.5.3): gzip or * named, and not with a weight of zero.
func acceptsGzip(values []string) bool {
	anything := false
	for coding := range strings.SplitSeq(strings.Join(values, ","), ",") {
		name, weight, _ := strings.Cut(coding, ";")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "gzip", "x-gzip":
			return !isZero(weight)
		case "*":
			anything = !isZero(weight)
		}
	}
	return anything
}

// isZero tells whether a weight such as "q=0.0" forbids the coding it stands behind.
func isZero(weight string) bool {
	value, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(weight)), "q=")
	if !ok {
		return false
	}
	q, err := strconv.ParseFloat(value, 64)
	return err == nil && q == 0
}

// load reads every embedded file; it panics when one cannot be read or has an ending without a content type.
func load(files fs.FS) map[string]*asset {
	all := map[string]*asset{}
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		all[name] = newAsset(name, body)
		return nil
	})
	if err != nil {
		panic("static: " + err.Error())
	}
	return all
}

func newAsset(name string, body []byte) *asset {
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:16])
	ext := path.Ext(name)
	return &asset{
		url:     prefix + strings.TrimSuffix(name, ext) + "." + hash[:8] + ext,
		mime:    contentType(name),
		etag:    hash,
		body:    body,
		gzipped: sync.OnceValue(func() []byte { return pack(body) }),
	}
}

// contentType does not ask the mime package, whose answers depend on files of the machine.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	case ".woff2":
		return "font/woff2"
	case "": // LICENSE
		return "text/plain; charset=utf-8"
	}
	panic("static: no content type for " + name)
}

// pack returns the gzip form of body, or nil when it is not smaller.
func pack(body []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil
	}
	if _, err := w.Write(body); err != nil {
		return nil
	}
	if err := w.Close(); err != nil || out.Len() >= len(body) {
		return nil
	}
	return out.Bytes()
}

func index(byName map[string]*asset) map[string]*asset {
	byURL := make(map[string]*asset, len(byName))
	for _, a := range byName {
		byURL[a.url] = a
	}
	return byURL
}
