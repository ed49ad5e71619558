package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gorm.io/gorm"

	"doorplate/internal/testkit"
)

// journey is the product's story, told by three people with a browser each.
type journey struct {
	t      *testing.T
	s      *server
	admin  *testkit.Tab
	group  string // address of the group
	code   string // address of its code
	target string // what the printed code says
}

const groupName = `平台技术<b>交流</b>群`

// A super admin sets up, imports, creates a group, issues and prints a code;
// a phone scans it and asks; the head approves; the chat opens; the code is
// revoked and the next scan says so. req: D31, D42
func TestFromThePrintedCodeToTheChat(t *testing.T) {
	stores(t, func(t *testing.T, i *instance, _ func() *gorm.DB) {
		j := &journey{t: t, s: i.serve()}
		j.s.ready()
		j.setUp()
		j.importPeople()
		j.createGroup()
		j.issueCode()
		j.print()
		phone := j.scan()
		j.approve()
		j.enter(phone)
		j.revoke()
		if out, errs, code := i.run("audit", "verify"); code != 0 {
			t.Error(out, errs)
		}
	})
}

func (j *journey) setUp() {
	j.admin = testkit.Browser(j.t, 1280, 900)
	j.admin.Open(j.s.line("^set-up: (.*)$"))
	j.admin.Fill("organisation", "晨星科技")
	j.admin.Fill("name", "周岚")
	j.admin.Fill("phone", "138 0000 0001")
	j.admin.Fill("password", "a long enough password 42")
	j.admin.Shot("1-set-up")
	j.admin.Press("main form button.btn-primary")
	if got := j.admin.URL(); got != j.s.base+"/" {
		j.t.Fatalf("after set-up at %s: %s", got, j.admin.Text("main"))
	}
}

func (j *journey) importPeople() {
	file := filepath.Join(j.t.TempDir(), "people.csv")
	csv := "\uFEFF工号,姓名,手机,部门,负责人\r\nDP0003,许一诺,+86 138 0000 0003,研发中心,是\r\nDP0005,顾晓棠,0086-138-0000-0005,研发中心/平台组,\r\nDP0009,坏号码,12,研发中心,\r\n"
	if err := os.WriteFile(file, []byte(csv), 0o600); err != nil {
		j.t.Fatal(err)
	}
	j.admin.Open(j.s.base + "/contacts/import")
	j.admin.Attach("file", file)
	j.admin.Run(`document.querySelector('[name=dry_run]').checked = false, true`)
	j.admin.Press("main form button.btn-primary")
	j.admin.Await(`a[href$="/refused.csv"]`)
	j.admin.AwaitGone("progress")
	j.admin.Shot("2-import")
	if refused := string(j.admin.Download(strings.TrimPrefix(j.admin.URL(), j.s.base) + "/refused.csv")); !strings.Contains(refused, "坏号码") || strings.Contains(refused, "顾晓棠") {
		j.t.Errorf("refused.csv = %q", refused)
	}
}

func (j *journey) createGroup() {
	j.admin.Open(j.s.base + "/groups/new")
	j.admin.Fill("name", groupName)
	j.admin.Fill("purpose", "发布通知与技术答疑")
	j.admin.Choose("type", "internal")
	j.admin.Run(`(() => {
		const list = document.querySelector('main select[name=department_id]');
		const option = Array.from(list.options).find(o => o.text.includes('平台组'));
		list.value = option.value;
		return true;
	})()`)
	j.admin.Choose("join_mode", "approval")
	j.admin.Choose("entry_kind", "link")
	j.admin.Fill("entry_url", "https://chat.example/invite/abc")
	j.admin.Shot("3-group")
	j.admin.Press("main form button.btn-primary")
	j.group = j.admin.URL()
	if !strings.HasPrefix(j.group, j.s.base+"/groups/") || !strings.Contains(j.admin.Text("h1"), groupName) {
		j.t.Fatalf("at %s: %s", j.group, j.admin.Text("main"))
	}
}

func (j *journey) issueCode() {
	j.admin.Open(j.group + "/codes")
	if trail := j.admin.Text(".breadcrumb"); !strings.Contains(trail, "通讯录") || !strings.Contains(trail, "群聊") || !strings.Contains(trail, groupName) {
		j.t.Errorf("breadcrumb = %q", trail)
	}
	j.admin.Open(j.group + "/codes/new")
	if !j.admin.Run(`document.querySelector('[name=validity][value="7d"]').checked`) {
		j.t.Error("a new code does not expire by default")
	}
	j.admin.Fill("label", "电梯厅立牌")
	j.admin.Choose("validity", "permanent")
	j.admin.Press("main form button.btn-primary")
	if !strings.HasSuffix(j.admin.URL(), "/codes") {
		j.t.Fatalf("a permanent code without confirmation led to %s", j.admin.URL())
	}
	j.admin.Choose("confirm_permanent", "on")
	j.admin.Shot("4-issue")
	j.admin.Press("main form button.btn-primary")
	j.code = j.admin.URL()
	j.admin.Shot("5-code")
}

// print downloads the picture and reads it with a decoder that is not ours. req: A04
func (j *journey) print() {
	picture := filepath.Join(j.t.TempDir(), "qr.png")
	if err := os.WriteFile(picture, j.admin.Download(strings.TrimPrefix(j.code, j.s.base)+"/qr.png?size=512"), 0o600); err != nil {
		j.t.Fatal(err)
	}
	out, err := exec.Command("zbarimg", "--quiet", "--raw", picture).Output()
	if err != nil {
		j.t.Fatalf("zbarimg: %v (it comes with `make test-tools`; Debian: apt-get install zbar-tools)", err)
	}
	j.target = strings.TrimSpace(string(out))
	if shown := j.admin.Attr("[data-url]", "data-url"); j.target != shown || !strings.HasPrefix(j.target, j.s.base+"/j/") {
		j.t.Fatalf("the picture says %q, the page %q", j.target, shown)
	}
}

// scan opens exactly what the picture says, on a phone.
func (j *journey) scan() *testkit.Tab {
	phone := testkit.Browser(j.t, 390, 844)
	phone.Open(j.target)
	j.state(phone, "form")
	if text := phone.Text("main"); !strings.Contains(text, groupName) || !strings.Contains(text, "晨星科技") || strings.Contains(text, "许一诺") {
		j.t.Errorf("the join page says %q", text)
	}
	phone.Shot("6-join")
	phone.Fill("phone", "13800000005")
	phone.Press("main form button.btn")
	phone.Fill("code", j.s.line(`^sms to=\+8613800000005 code=(\d{6}) for=join$`))
	phone.Fill("note", "刚调到平台组 <script>alert(1)</script>")
	phone.Press("main form button.btn")
	j.state(phone, "pending")
	phone.Shot("7-pending")
	return phone
}

func (j *journey) state(phone *testkit.Tab, want string) {
	j.t.Helper()
	if got := phone.Attr("main", "data-join-state"); got != want {
		j.t.Fatalf("the join page is %q, want %q: %s", got, want, phone.Text("main"))
	}
}

func (j *journey) approve() {
	head := testkit.Browser(j.t, 390, 844)
	head.Open(j.s.link("13800000003"))
	head.Press("main form button.btn-primary")
	head.Open(j.s.base + "/requests")
	if text := head.Text("main"); !strings.Contains(text, "顾晓棠") || !strings.Contains(text, "<script>alert(1)</script>") {
		j.t.Fatalf("the queue says %q", text)
	}
	head.Shot("8-queue")
	head.Click(".dp-q .dp-ok")
	head.AwaitGone(".dp-q .dp-ok")
	if text := head.Text("main .dp-q"); !strings.Contains(text, "已通过") {
		j.t.Errorf("the decided row says %q", text)
	}
}

func (j *journey) enter(phone *testkit.Tab) {
	phone.Open(j.s.base + "/join")
	j.state(phone, "in")
	if phone.Attr(`a[href="https://chat.example/invite/abc"]`, "href") == "" {
		j.t.Errorf("no way into the chat: %s", phone.Text("main"))
	}
	phone.Shot("9-in")
}

func (j *journey) revoke() {
	j.admin.Open(j.code)
	j.admin.Press(`main a[href$="/revoke/confirm"]`)
	j.admin.Fill("reason", "照片被发到外部群")
	j.admin.Press("main form button.btn-danger")
	stranger := testkit.Browser(j.t, 390, 844)
	stranger.Open(j.target)
	if text := stranger.Text("main"); !strings.Contains(text, "撤销") {
		j.t.Errorf("after revoking, a scan says %q", text)
	}
	stranger.Shot("10-revoked")
}
