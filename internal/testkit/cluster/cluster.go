// Package cluster starts a throw-away PostgreSQL server for tests. The server
// ends when the process that started it ends, however it ends.
package cluster

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Start runs initdb and postgres on a free loopback port and returns the URL of
// the maintenance database. A missing server is an error that says how to get it.
func Start() (dsn string, err error) {
	server, err := StartServer()
	return server.DSN, err
}

// Durable are the settings of a server that loses nothing, which tests do without.
var Durable = []string{"fsync=on", "synchronous_commit=on", "full_page_writes=on"}

// Server is a running PostgreSQL that a test may stop.
type Server struct {
	DSN  string
	Data string // its data directory; the first line of postmaster.pid in it is the process
	port int
	bin  string
	dir  string
	who  *syscall.Credential
	with []string
}

// StartServer is Start with settings of one's own.
func StartServer(settings ...string) (s Server, err error) {
	bin, err := binaries()
	if err != nil {
		return s, err
	}
	who, err := owner()
	if err != nil {
		return s, err
	}
	dir, err := os.MkdirTemp("", "doorplate-pg-")
	if err != nil {
		return s, err
	}
	if who != nil {
		if err := os.Chown(dir, int(who.Uid), int(who.Gid)); err != nil {
			return s, err
		}
	}
	port, err := freePort()
	if err != nil {
		return s, err
	}
	data := filepath.Join(dir, "data")
	if err := run(who, dir, filepath.Join(bin, "initdb"), "--pgdata="+data, "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"); err != nil {
		return s, err
	}
	s = Server{DSN: fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port), Data: data, port: port, bin: bin, dir: dir, who: who, with: settings}
	return s, s.Resume()
}

// Resume starts the server again after a test stopped it, and waits until it answers.
func (s Server) Resume() error {
	if err := serve(s.who, s.dir, s.bin, s.Data, s.port, s.with); err != nil {
		return err
	}
	return waitFor(s.bin, s.port)
}

// Kill ends the server at once, like a machine that loses its power. When it
// returns, nothing of it holds the data any more.
func (s Server) Kill() error {
	lock := filepath.Join(s.Data, "postmaster.pid")
	text, err := os.ReadFile(lock)
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGQUIT); err != nil {
		return err
	}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(lock); os.IsNotExist(err) {
			return nil
		}
	}
	return fmt.Errorf("PostgreSQL was told to end and did not")
}

// lifelines keeps the pipes reachable: a collected pipe is a closed one.
var lifelines []io.Closer

// serve keeps postgres as a child of a shell that lives as long as we hold its
// standard input: a killed test run leaves no server behind.
func serve(who *syscall.Credential, dir, bin, data string, port int, settings []string) error {
	more := ""
	for _, setting := range settings {
		more += " -c " + setting
	}
	script := fmt.Sprintf(`%q -D %q -p %d -k %q -c listen_addresses=127.0.0.1 -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=400 -c shared_buffers=64MB%s >>%q 2>&1 & pid=$!
cat >/dev/null; kill -INT $pid; wait $pid; rm -rf %q`, filepath.Join(bin, "postgres"), data, port, dir, more, filepath.Join(dir, "log"), dir)
	cmd := exec.Command("sh", "-c", script)
	cmd.Dir = dir
	// Its own process group: ctrl-C reaches the tests, the pipe reaches the server.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who, Setpgid: true}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	lifelines = append(lifelines, pipe)
	return cmd.Start()
}

func run(who *syscall.Credential, dir, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

// binaries finds the folder with initdb and postgres, the newest version first.
func binaries() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	slices.Sort(found)
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1]), nil
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", fmt.Errorf("these tests need PostgreSQL: run `make test-tools` (Debian: apt-get install postgresql), or set DOORPLATE_TEST_DATABASE_URL to a server where databases may be created")
}

// owner is whom the server runs as: postgres refuses to run as root.
func owner() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, fmt.Errorf("no user to run PostgreSQL as: it refuses root; add a user named postgres")
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// waitFor asks until the server takes connections: its port opens earlier.
func waitFor(bin string, port int) error {
	deadline := time.Now().Add(60 * time.Second)
	for time.Now().Before(deadline) {
		if exec.Command(filepath.Join(bin, "pg_isready"), "-q", "-h", "127.0.0.1", "-p", strconv.Itoa(port)).Run() == nil {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("the test PostgreSQL on port %d did not start within 60 s", port)
}

// WithDatabase returns dsn pointed at another database of the same server.
func WithDatabase(dsn, name string) string {
	head, query, _ := strings.Cut(dsn, "?")
	slash := strings.LastIndex(head, "/")
	return head[:slash+1] + name + "?" + query
}
