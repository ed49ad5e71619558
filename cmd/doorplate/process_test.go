package main_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binary builds the program once per test run.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "doorplate-bin-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "doorplate")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// instance is one way to run the program: its environment and data dir.
type instance struct {
	t    *testing.T
	env  []string
	dir  string
	base string
}

// newInstance prepares an instance on a free port; dsn "" is the embedded database.
func newInstance(t *testing.T, dsn string) *instance {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	dir := t.TempDir()
	env := []string{"DOORPLATE_ADDR=" + addr, "DOORPLATE_DATA_DIR=" + dir, "DOORPLATE_DATABASE_URL=" + dsn,
		"DOORPLATE_SECRET_KEY=0123456789abcdef0123456789abcdef", "PATH=" + os.Getenv("PATH")}
	return &instance{t: t, env: env, dir: dir, base: "http://" + addr}
}

// run runs a command to its end.
func (i *instance) run(args ...string) (stdout, stderr string, code int) {
	i.t.Helper()
	path, err := binary()
	if err != nil {
		i.t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = i.env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	if err != nil && cmd.ProcessState == nil {
		i.t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// server is a running doorplate serve.
type server struct {
	*instance
	cmd  *exec.Cmd
	mu   sync.Mutex
	out  []string
	more *sync.Cond
	logs bytes.Buffer
	done chan struct{}
}

// serve starts the server; the test ends it.
func (i *instance) serve() *server {
	i.t.Helper()
	path, err := binary()
	if err != nil {
		i.t.Fatal(err)
	}
	s := &server{instance: i, cmd: exec.Command(path, "serve"), done: make(chan struct{})}
	s.more = sync.NewCond(&s.mu)
	s.cmd.Env = i.env
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		i.t.Fatal(err)
	}
	s.cmd.Stderr = &s.logs
	if err := s.cmd.Start(); err != nil {
		i.t.Fatal(err)
	}
	go s.read(out)
	i.t.Cleanup(func() { s.kill(syscall.SIGKILL) })
	return s
}

func (s *server) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		s.mu.Lock()
		s.out = append(s.out, lines.Text())
		s.more.Broadcast()
		s.mu.Unlock()
	}
	s.cmd.Wait()
	close(s.done)
	s.more.Broadcast()
}

// kill sends a signal, waits for the end and returns the exit code.
func (s *server) kill(sig syscall.Signal) int {
	s.cmd.Process.Signal(sig)
	select {
	case <-s.done:
	case <-time.After(15 * time.Second):
		s.t.Errorf("the server did not stop within 15 s of %v", sig)
		s.cmd.Process.Kill()
		<-s.done
	}
	return s.cmd.ProcessState.ExitCode()
}

// line waits for a line on standard output that matches and returns its first
// group; each line is handed out once.
func (s *server) line(pattern string) string {
	s.t.Helper()
	re := regexp.MustCompile(pattern)
	deadline := time.AfterFunc(60*time.Second, s.more.Broadcast)
	defer deadline.Stop()
	end := time.Now().Add(60 * time.Second)
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		for n, l := range s.out {
			if m := re.FindStringSubmatch(l); m != nil {
				s.out = append(s.out[:n:n], s.out[n+1:]...)
				return m[len(m)-1]
			}
		}
		if time.Now().After(end) {
			s.t.Fatalf("no line like %s; the log says:\n%s", pattern, s.logs.String())
		}
		s.more.Wait()
	}
}

// ready waits until the server takes requests.
func (s *server) ready() {
	s.t.Helper()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); {
		answer, err := http.Get(s.base + "/readyz")
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-s.done:
			s.t.Fatalf("the server ended: %s", s.logs.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
	s.t.Fatal("the server did not get ready")
}

// link makes a sign-in link for a phone number.
func (i *instance) link(phone string) string {
	i.t.Helper()
	out, errs, code := i.run("login-link", phone)
	if code != 0 || !strings.HasPrefix(out, i.base+"/login/link/") || strings.Count(out, "\n") != 1 {
		i.t.Fatalf("login-link %s: %d %q %q", phone, code, out, errs)
	}
	return strings.TrimSpace(out)
}
