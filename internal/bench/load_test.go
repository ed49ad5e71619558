package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// target is a server under load, and what its clients ask for.
type target struct {
	address  string
	requests [][]byte // whole HTTP requests, taken in turn
	status   []byte   // how every answer has to begin
}

// start serves handler on a free port until the benchmark ends.
func start(b *testing.B, handler http.Handler, status int, paths ...string) target {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 2 * time.Minute, WriteTimeout: 10 * time.Minute, IdleTimeout: 2 * time.Minute}
	go server.Serve(listener)
	b.Cleanup(func() { server.Close() })
	t := target{address: listener.Addr().String(), status: fmt.Appendf(nil, "HTTP/1.1 %d ", status)}
	for _, path := range paths {
		t.requests = append(t.requests, fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: door.example\r\nUser-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) "+
			"AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.42\r\nAccept: text/html\r\nAccept-Language: zh-CN\r\nAccept-Encoding: gzip\r\n\r\n", path))
	}
	return t
}

// load is what one round found out.
type load struct {
	rate float64 // answers a second
	p99  time.Duration
}

// run keeps connections busy for a while, each with its next request as soon as
// the last is answered. The client is as thin as can be: it shares the machine.
func (t target) run(b *testing.B, connections int, lasting time.Duration) load {
	b.Helper()
	times := make([][]time.Duration, connections)
	began := time.Now()
	var wg sync.WaitGroup
	for i := range connections {
		wg.Go(func() {
			var err error
			if times[i], err = t.client(i, began.Add(lasting)); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	all := slices.Concat(times...)
	if len(all) == 0 || b.Failed() {
		b.FailNow()
	}
	slices.Sort(all)
	return load{rate: float64(len(all)) / took.Seconds(), p99: all[len(all)*99/100]}
}

func (t target) client(turn int, end time.Time) (times []time.Duration, err error) {
	conn, err := net.Dial("tcp", t.address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 8<<10)
	for ; ; turn++ {
		sent := time.Now()
		if sent.After(end) {
			return times, nil
		}
		if _, err := conn.Write(t.requests[turn%len(t.requests)]); err != nil {
			return times, err
		}
		if err := t.answer(in); err != nil {
			return times, err
		}
		times = append(times, time.Since(sent))
	}
}

// answer reads one answer with a Content-Length, or none, or in chunks.
func (t target) answer(in *bufio.Reader) error {
	length, chunked := 0, false
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && !bytes.HasPrefix(line, t.status) {
			return fmt.Errorf("answered %q, want %q", line, t.status)
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if value, found := bytes.CutPrefix(line, []byte("Content-Length: ")); found {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return err
			}
		} else if bytes.HasPrefix(line, []byte("Transfer-Encoding: chunked")) {
			chunked = true
		}
	}
	if chunked {
		return readChunks(in)
	}
	_, err := in.Discard(length)
	return err
}

func readChunks(in *bufio.Reader) error {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(line[:len(line)-2], 16, 32)
		if err != nil {
			return err
		}
		if _, err := io.CopyN(io.Discard, in, size+2); err != nil || size == 0 {
			return err
		}
	}
}

const (
	scanRounds = 5 // paired rounds at least
	scanRound  = time.Second
)

// race runs the targets in turn, each once a round, and returns round by round
// what each did. A short lap before the first warms everything up.
func race(b *testing.B, connections int, targets ...target) (rounds [][]load) {
	b.Helper()
	for _, t := range targets {
		t.run(b, connections, scanRound/4)
	}
	round := func() {
		loads := make([]load, len(targets))
		for i, t := range targets {
			loads[i] = t.run(b, connections, scanRound)
		}
		rounds = append(rounds, loads)
	}
	for b.Loop() {
		round()
	}
	for len(rounds) < scanRounds {
		round()
	}
	b.ReportMetric(0, "ns/op") // an absolute time says nothing about another machine
	return rounds
}

// report gives the median, least and greatest ratio over the rounds.
func report(b *testing.B, name string, rounds [][]load, ratio func(round []load) float64) {
	b.Helper()
	all := make([]float64, len(rounds))
	for i, r := range rounds {
		all[i] = ratio(r)
	}
	slices.Sort(all)
	b.ReportMetric(all[len(all)/2], name)
	b.ReportMetric(all[0], name+"-least")
	b.ReportMetric(all[len(all)-1], name+"-most")
}

func rates(of, against int) func([]load) float64 {
	return func(r []load) float64 { return r[of].rate / r[against].rate }
}

func p99s(of, against int) func([]load) float64 {
	return func(r []load) float64 { return float64(r[of].p99) / float64(r[against].p99) }
}
