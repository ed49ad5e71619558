package testkit

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// browserTime bounds one browser's whole life in a test.
const browserTime = 3 * time.Minute

// Tab is one page of a headless browser. Every method fails the test when the
// page does not do as told.
type Tab struct {
	t   testing.TB
	ctx context.Context
}

// Browser starts a headless browser with its own cookies and a window of the
// given size. A missing browser fails the test with how to get one.
func Browser(t testing.TB, width, height int64) *Tab {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(browserPath(t)), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("accept-lang", "zh-CN"), chromedp.UserDataDir(t.TempDir()),
	)
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, stop := chromedp.NewContext(allocator)
	ctx, cancel := context.WithTimeout(ctx, browserTime)
	t.Cleanup(func() { cancel(); stop(); stopAllocator() })
	tab := &Tab{t: t, ctx: ctx}
	tab.do("start", chromedp.EmulateViewport(width, height))
	return tab
}

func browserPath(t testing.TB) string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("this test needs a browser: run `make test-tools` (Debian: apt-get install chromium)")
	return ""
}

func (b *Tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatalf("browser: %s: %v", what, err)
	}
}

// Open goes to an address and waits for the page.
func (b *Tab) Open(url string) {
	b.t.Helper()
	b.do("open "+url, chromedp.Navigate(url))
}

// Fill types into the control with this name, over what stands there.
func (b *Tab) Fill(name, value string) {
	b.t.Helper()
	css := `main [name="` + name + `"]:not([type=hidden])`
	b.Run(fmt.Sprintf(`document.querySelector(%q).value = '', true`, css))
	b.do("fill "+name, chromedp.SendKeys(chromedp.CSS(css), value))
}

// Choose sets a select, or presses the radio button or check box with this value.
func (b *Tab) Choose(name, value string) {
	b.t.Helper()
	b.Run(fmt.Sprintf(`(() => {
		const box = document.querySelector('main input[name=%[1]q][value=%[2]q]');
		if (box) { box.checked = true; return true; }
		const list = document.querySelector('main select[name=%[1]q]');
		list.value = %[2]q;
		if (list.value !== %[2]q) throw new Error('no such choice');
		return true;
	})()`, name, value))
}

// Attach puts a file into the file control with this name.
func (b *Tab) Attach(name, path string) {
	b.t.Helper()
	b.do("attach "+name, chromedp.SetUploadFiles(chromedp.CSS(`main input[type=file][name="`+name+`"]`), []string{path}))
}

// Key presses a key where the focus is.
func (b *Tab) Key(key string) {
	b.t.Helper()
	b.do("key "+key, chromedp.KeyEvent(key))
}

// Press clicks an element and waits for the page it leads to.
func (b *Tab) Press(css string) {
	b.t.Helper()
	b.Run(`window.stale = true`)
	b.do("press "+css, chromedp.Click(chromedp.CSS(css)))
	b.wait("the page after "+css, `window.stale === undefined && document.readyState === 'complete'`)
}

// Click clicks an element of which the page changes a part.
func (b *Tab) Click(css string) {
	b.t.Helper()
	b.do("click "+css, chromedp.Click(chromedp.CSS(css)))
}

// Await waits until the element is there, loading the page anew while it is not.
func (b *Tab) Await(css string) {
	b.t.Helper()
	b.wait(css, fmt.Sprintf(`document.readyState === 'complete' && document.querySelector(%q) !== null`, css))
}

func (b *Tab) wait(what, condition string) {
	b.t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](condition)); err == nil && ok {
			return
		}
	}
	b.t.Fatalf("browser: waited in vain for %s on %s:\n%s", what, b.URL(), b.Text("body"))
}

// Run evaluates an expression in the page.
func (b *Tab) Run(expression string) bool {
	b.t.Helper()
	got, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("!!("+expression+")"))
	if err != nil {
		b.t.Fatalf("browser: %s on %s: %v", expression, b.URL(), err)
	}
	return got
}

// Text is the visible text of the first match, "" without one.
func (b *Tab) Text(css string) string {
	b.t.Helper()
	return b.ask("(document.querySelector(" + strconv.Quote(css) + ") || {}).innerText || ''")
}

// Attr is an attribute of the first match.
func (b *Tab) Attr(css, name string) string {
	b.t.Helper()
	return b.ask(fmt.Sprintf(`((document.querySelector(%q) || {getAttribute(){}}).getAttribute(%q)) || ''`, css, name))
}

// URL is where the page is.
func (b *Tab) URL() string {
	b.t.Helper()
	return b.ask(`document.location.toString()`)
}

func (b *Tab) ask(expression string) string {
	b.t.Helper()
	got, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](expression))
	if err != nil {
		b.t.Fatalf("browser: %s: %v", expression, err)
	}
	return got
}

// Shot keeps a picture of the page for people when DOORPLATE_TEST_SHOTS names a folder.
func (b *Tab) Shot(name string) {
	b.t.Helper()
	dir := os.Getenv("DOORPLATE_TEST_SHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(dir+"/"+strings.ReplaceAll(name, "/", "_")+".png", png, 0o600)
	}
	if err != nil {
		b.t.Errorf("browser: picture %s: %v", name, err)
	}
}

// AwaitGone waits until no element matches.
func (b *Tab) AwaitGone(css string) {
	b.t.Helper()
	b.wait("no "+css, fmt.Sprintf(`document.readyState === 'complete' && document.querySelector(%q) === null`, css))
}

// Download fetches an address of the page's own site with its cookies.
func (b *Tab) Download(path string) []byte {
	b.t.Helper()
	b.Run(fmt.Sprintf(`(window.got = undefined, fetch(%q).then(async a => {
		const bytes = new Uint8Array(await a.arrayBuffer());
		window.got = a.ok ? btoa(Array.from(bytes, c => String.fromCharCode(c)).join('')) : 'status ' + a.status;
	}), true)`, path))
	b.wait("the download of "+path, `window.got !== undefined`)
	encoded := b.ask(`window.got`)
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		b.t.Fatalf("browser: download %s: %v", path, err)
	}
	return raw
}
