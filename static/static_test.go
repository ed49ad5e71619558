package static

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"sync"
	"testing"
)

func get(t *testing.T, target string, header ...string) *http.Response {
	t.Helper()
	return do(t, http.MethodGet, target, header...)
}

func do(t *testing.T, method, target string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, res *http.Response) []byte {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func wantHeader(t *testing.T, res *http.Response, name, want string) {
	t.Helper()
	if got := res.Header.Get(name); got != want {
		t.Errorf("%s is %q, want %q", name, got, want)
	}
}

func TestPath(t *testing.T) {
	shape := regexp.MustCompile(`^/static/css/app\.[0-9a-f]{8}\.css$`)
	if got := Path("css/app.css"); !shape.MatchString(got) {
		t.Errorf("Path gives %q", got)
	}
	for _, name := range []string{
		"css/app.css", "css/join.css", "css/print.css", "img/favicon.svg", "img/mark.svg", "img/plate.svg", "img/wordmark.svg",
		"vendor/tabler/tabler.min.css", "vendor/htmx/htmx.min.js",
		"vendor/tabler/LICENSE", "vendor/htmx/LICENSE", "vendor/tabler-icons/LICENSE",
	} {
		Path(name)
	}
	if len(byURL) != len(byName) {
		t.Errorf("%d addresses for %d files", len(byURL), len(byName))
	}
}

func TestPathFollowsContent(t *testing.T) {
	a, b := newAsset("a.css", []byte("a{}")), newAsset("a.css", []byte("b{}"))
	if a.url == b.url || a.etag == b.etag {
		t.Errorf("two contents share %s or %s", a.url, a.etag)
	}
}

func TestPathPanicsOnUnknownName(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic for a name that does not exist")
		}
	}()
	Path("css/nothing.css")
}

func TestEveryFileIsServed(t *testing.T) {
	for name, a := range byName {
		for target, cache := range map[string]string{a.url: immutable, prefix + name: "no-cache"} {
			res := get(t, target)
			if res.StatusCode != http.StatusOK {
				t.Errorf("%s answers %d", target, res.StatusCode)
			}
			wantHeader(t, res, "Cache-Control", cache)
			wantHeader(t, res, "Content-Type", a.mime)
			wantHeader(t, res, "Vary", "Accept-Encoding")
			wantHeader(t, res, "Content-Encoding", "")
			if !bytes.Equal(body(t, res), a.body) {
				t.Errorf("%s answers other bytes than the file's", target)
			}
		}
	}
}

func TestContentTypes(t *testing.T) {
	for name, want := range map[string]string{
		"css/app.css":             "text/css; charset=utf-8",
		"vendor/htmx/htmx.min.js": "text/javascript; charset=utf-8",
		"img/mark.svg":            "image/svg+xml",
		"vendor/htmx/LICENSE":     "text/plain; charset=utf-8",
	} {
		wantHeader(t, get(t, Path(name)), "Content-Type", want)
	}
}

func TestGzip(t *testing.T) {
	a := byName["vendor/tabler/tabler.min.css"]
	res := get(t, a.url, "Accept-Encoding", "br, gzip")
	wantHeader(t, res, "Content-Encoding", "gzip")
	wantHeader(t, res, "Vary", "Accept-Encoding")
	packed := body(t, res)
	if int64(len(packed)) != res.ContentLength || len(packed) > len(a.body)/4 {
		t.Errorf("%d packed bytes of %d, Content-Length %d", len(packed), len(a.body), res.ContentLength)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(plain, a.body) {
		t.Errorf("unpacked bytes differ from the file (%v)", err)
	}
	if res.Header.Get("ETag") == get(t, a.url).Header.Get("ETag") {
		t.Error("packed and plain bytes share an ETag")
	}
}

func TestGzipOnlyWhenItGains(t *testing.T) {
	if packed := pack([]byte("a")); packed != nil {
		t.Errorf("one byte became %d", len(packed))
	}
}

func TestGzipPacksOnce(t *testing.T) {
	a := newAsset("a.css", bytes.Repeat([]byte("a{color:red}"), 100))
	var all sync.Map
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { all.Store(&a.gzipped()[0], true) })
	}
	wg.Wait()
	count := 0
	all.Range(func(any, any) bool { count++; return true })
	if count != 1 {
		t.Errorf("packed %d times", count)
	}
}

func TestAcceptsGzip(t *testing.T) {
	for header, want := range map[string]bool{
		"": false, "gzip": true, "GZIP": true, "br": false, "br, gzip;q=0.5": true, "gzip;q=0": false, "gzip; q=0.000": false,
		"*": true, "*;q=0": false, "gzip;q=0, *": false, "*;q=0, gzip": true, "gzipped": false, "identity": false,
	} {
		if got := acceptsGzip([]string{header}); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
}

func TestETag(t *testing.T) {
	url := Path("css/app.css")
	for _, encoding := range []string{"identity", "gzip"} {
		etag := get(t, url, "Accept-Encoding", encoding).Header.Get("ETag")
		res := get(t, url, "Accept-Encoding", encoding, "If-None-Match", etag)
		if res.StatusCode != http.StatusNotModified || len(body(t, res)) != 0 {
			t.Errorf("%s: known ETag %s answers %d", encoding, etag, res.StatusCode)
		}
		wantHeader(t, res, "ETag", etag)
		wantHeader(t, res, "Cache-Control", immutable)
	}
	if res := get(t, url, "If-None-Match", `"other"`); res.StatusCode != http.StatusOK {
		t.Errorf("foreign ETag answers %d", res.StatusCode)
	}
}

func TestNotFound(t *testing.T) {
	for _, target := range []string{
		"/static/", "/static/css", "/static/css/", "/static/css/app.00000000.css", "/static/static.go", "/static/vendor.sh",
		"/static/../static.go", "/static/css/../css/app.css", "/static//css/app.css", "/css/app.css", "/",
	} {
		res := get(t, target)
		if res.StatusCode != http.StatusNotFound {
			t.Errorf("%s answers %d", target, res.StatusCode)
		}
		wantHeader(t, res, "Cache-Control", "no-store")
	}
}

func TestMethods(t *testing.T) {
	if res := do(t, http.MethodPost, Path("css/app.css")); res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST answers %d", res.StatusCode)
	}
	res := do(t, http.MethodHead, Path("css/app.css"))
	if res.StatusCode != http.StatusOK || len(body(t, res)) != 0 || res.ContentLength != int64(len(byName["css/app.css"].body)) {
		t.Errorf("HEAD answers %d, length %d", res.StatusCode, res.ContentLength)
	}
}

// A sheet that names another file would miss it, because files are only cached under their hashed names.
func TestSheetsReferToNothingElse(t *testing.T) {
	reference := regexp.MustCompile(`url\(\s*["']?([^"')\s]{0,80})|@import[^;]*|sourceMappingURL=\S*`)
	for name, a := range byName {
		if ext := path.Ext(name); ext != ".css" && ext != ".js" {
			continue
		}
		for _, m := range reference.FindAllSubmatch(a.body, -1) {
			if !strings.HasPrefix(string(m[1]), "data:") {
				t.Errorf("%s refers to %s", name, m[0])
			}
		}
	}
}

// The content security policy of the pages forbids scripts and foreign addresses inside pictures as well.
func TestPicturesAreInert(t *testing.T) {
	active := regexp.MustCompile(`(?i)<script|\son[a-z]+=|href=|url\(|<style|<foreignObject`)
	for name, a := range byName {
		if path.Ext(name) == ".svg" && active.Match(a.body) {
			t.Errorf("%s contains %s", name, active.Find(a.body))
		}
	}
}
