package web_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/gif"
	"image/jpeg"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"

	"doorplate/internal/testkit"
)

// endless is a body that somebody goes on sending.
type endless struct{ left, read int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), e.left))
	for i := range n {
		p[i] = 'a'
	}
	e.left -= int64(n)
	e.read += int64(n)
	return n, nil
}

// A body of 100 MB is refused with flat memory, announced or not. It is read to
// its end, for most clients write all of it before they read the answer.
func TestLargeBodiesAreRefusedFlat(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		p, super := s.props(), s.as(s.w.Super)
		const size = 100 << 20
		for _, path := range []string{"/groups", "/groups/" + p.gid, "/contacts/import", "/groups/" + p.gid + "/codes", "/login", "/join", "/lang"} {
			for _, announced := range []int64{size, -1} {
				for kind, head := range map[string]string{"application/x-www-form-urlencoded": "name=",
					"multipart/form-data; boundary=x": "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\n"} {
					body := &endless{left: size}
					r := httptest.NewRequest(http.MethodPost, path, io.MultiReader(strings.NewReader(head), body))
					r.ContentLength = announced
					r.Header.Set("Content-Type", kind)
					var before, after runtime.MemStats
					runtime.ReadMemStats(&before)
					rec := super.do(r)
					runtime.ReadMemStats(&after)
					if rec.Code != http.StatusRequestEntityTooLarge || !strings.Contains(rec.Header().Get("Content-Type"), "html") {
						t.Errorf("%s, %s, announced %d: %d", path, kind, announced, rec.Code)
					}
					if grown := after.TotalAlloc - before.TotalAlloc; grown > 12<<20 {
						t.Errorf("%s, %s, announced %d: %d MB of memory", path, kind, announced, grown>>20)
					}
				}
			}
		}
	})
}

// What an upload leaves in the temporary directory goes with its request.
func TestUploadsLeaveNoFiles(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	s := newSite(t, testkit.SQLite(t))
	server := httptest.NewServer(s)
	defer server.Close()
	super := s.as(s.w.Super)
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	part, err := w.CreateFormFile("file", "a.csv")
	if err != nil {
		t.Fatal(err)
	}
	part.Write([]byte("姓名,手机\n" + strings.Repeat("李雷,139\n", 300_000)))
	w.Close()
	r, err := http.NewRequest(http.MethodPost, server.URL+"/contacts/import", &body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", w.FormDataContentType())
	r.AddCookie(&http.Cookie{Name: "doorplate_session", Value: super.cookies["doorplate_session"]})
	rec, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	rec.Body.Close()
	server.Close() // waits for the request to be over
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range left {
		if strings.HasPrefix(f.Name(), "multipart-") {
			t.Errorf("%s is left behind, with everybody's phone in it", f.Name())
		}
	}
}

func TestHostileLists(t *testing.T) {
	contents := map[string][]byte{
		"nothing": {}, "binary": bytes.Repeat([]byte{0, 1, 2, 0xff}, 9000), "picture": drawn(t, "x"), "PK": []byte("PK\x03\x04nothing"),
		"zip bomb": workbook(t, bomb), "nested": workbook(t, nested), "60,000 entries": workbook(t, crowded), "empty zip": workbook(t, func(*zip.Writer) {}),
		"deep XML": workbook(t, deep), "external entity": workbook(t, entity), "traversal": workbook(t, traversal),
		"header only": []byte("姓名,手机\n"), "no header": []byte("a,b\nc,d\n"), "NULs": []byte("姓名,手机\n\x00\x00\x00,\x00"), "one line": bytes.Repeat([]byte(","), 1<<20),
		"one quote": append([]byte("\""), bytes.Repeat([]byte("a"), 1<<20)...),
	}
	onBoth(t, func(t *testing.T, s *site) {
		super := s.as(s.w.Super)
		members := s.count("SELECT count(*) FROM members")
		for name, content := range contents {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			rec := super.importFile(string(content))
			runtime.ReadMemStats(&after)
			super.harmless(name, rec)
			if rec.Code != 422 {
				t.Errorf("%s: %d, want 422", name, rec.Code)
			}
			if grown := after.HeapSys - before.HeapSys; int64(grown) > 400<<20 {
				t.Errorf("%s: %d MB", name, grown>>20)
			}
		}
		if now := s.count("SELECT count(*) FROM members"); now != members {
			t.Errorf("%d members, were %d", now, members)
		}
	})
}

func workbook(t *testing.T, fill func(*zip.Writer)) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	fill(w)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func add(w *zip.Writer, name, content string) {
	f, err := w.Create(name)
	if err != nil {
		panic(err)
	}
	io.WriteString(f, content)
}

const sheetNamespace = ` xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"`

// book is the smallest workbook around one sheet.
func book(w *zip.Writer, sheet string) {
	add(w, "[Content_Types].xml", `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>`)
	add(w, "_rels/.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>`)
	add(w, "xl/workbook.xml", `<workbook`+sheetNamespace+` xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="a" sheetId="1" r:id="r1"/></sheets></workbook>`)
	add(w, "xl/_rels/workbook.xml.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>`)
	add(w, "xl/worksheets/sheet1.xml", sheet)
}

func bomb(w *zip.Writer) { book(w, `<worksheet`+sheetNamespace+`>`+strings.Repeat(" ", 400<<20)) }

func nested(w *zip.Writer) {
	var inner bytes.Buffer
	z := zip.NewWriter(&inner)
	add(z, "a", strings.Repeat("a", 10<<20))
	z.Close()
	book(w, `<worksheet`+sheetNamespace+`/>`)
	add(w, "xl/media/inner.zip", inner.String())
}

func crowded(w *zip.Writer) {
	book(w, `<worksheet`+sheetNamespace+`/>`)
	for i := range 60_000 {
		add(w, fmt.Sprintf("xl/worksheets/sheet%d.xml", i+2), "")
	}
}

func deep(w *zip.Writer) {
	book(w, `<worksheet`+sheetNamespace+`><sheetData>`+strings.Repeat("<row>", 1_000_000))
}

func entity(w *zip.Writer) {
	book(w, `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd"><!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><worksheet`+sheetNamespace+
		`><sheetData><row r="1"><c t="inlineStr"><is><t>&e;&b;</t></is></c></row></sheetData></worksheet>`)
}

func traversal(w *zip.Writer) {
	add(w, "../../../../tmp/evil", "x")
	book(w, `<worksheet`+sheetNamespace+`><sheetData><row r="2147483647"><c r="XFD99999999999" t="s"><v>99999999999</v></c></row></sheetData></worksheet>`)
}

// Whatever comes as a picture is answered with the form and its reason.
func TestHostilePictures(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		head := s.as(s.w.Head)
		photo := image.NewGray(image.Rect(0, 0, 400, 400))
		var moving, shot bytes.Buffer
		if err := gif.Encode(&moving, photo, nil); err != nil {
			t.Fatal(err)
		}
		if err := jpeg.Encode(&shot, photo, nil); err != nil {
			t.Fatal(err)
		}
		good := drawn(t, "https://weixin.example/g/1")
		for name, content := range map[string][]byte{
			"bomb": announced(60000, 60000), "just too many pixels": announced(4001, 4000), "no pixels": announced(0, 0), "SVG": []byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`),
			"page": []byte("<!doctype html><script>alert(1)</script>"), "GIF": moving.Bytes(), "half a JPEG": shot.Bytes()[:shot.Len()/2], "no code": shot.Bytes(), "half a PNG": good[:len(good)/2],
			"polyglot": append([]byte("GIF89a/*"), good...), "nothing": {}, "NULs": make([]byte, 4096),
		} {
			rec := head.send("/groups", content, newGroup(s.w.RD, "entry_kind", "upstream")...)
			head.harmless(name, rec)
			if rec.Code != 422 || page(t, rec).Find(".invalid-feedback, .is-invalid, [role=alert]").Length() == 0 {
				t.Errorf("%s: %d", name, rec.Code)
			}
		}
		if n := s.count("SELECT count(*) FROM groups") + s.count("SELECT count(*) FROM files"); n != 0 {
			t.Errorf("%d rows were written", n)
		}
		rec := head.send("/groups", append(good, []byte("<script>alert(1)</script>")...), newGroup(s.w.RD, "entry_kind", "upstream")...)
		want(t, rec, 303)
		image := head.get(rec.Header().Get("Location") + "/entry-image")
		if image.Header().Get("Content-Type") != "image/png" || image.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("a picture is served as %v", image.Header())
		}
	})
}

// announced is a PNG of which only the header is there.
func announced(width, height uint32) []byte {
	chunk := binary.BigEndian.AppendUint32([]byte("IHDR"), width)
	chunk = append(binary.BigEndian.AppendUint32(chunk, height), 8, 6, 0, 0, 0)
	out := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), chunk...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(chunk))
}
