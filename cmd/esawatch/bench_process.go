package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// benchProcess is a process beside this one: the target, the loop or the agent.
type benchProcess struct {
	cmd   *exec.Cmd
	stdin io.Closer     // the target and the loop end when it is closed
	lines *bufio.Reader // what it says to us
	said  *tail         // the last of its log
	drain sync.WaitGroup
}

// benchStream is where a process says what we need to know.
type benchStream int

const (
	onStdout benchStream = iota // its log, on standard error, is kept for an error
	inLog                       // its log is what we read
)

// startBenchProcess starts the program with some arguments. It is sent a
// SIGTERM when ctx is done.
func startBenchProcess(ctx context.Context, program string, env []string, from benchStream, args ...string) (*benchProcess, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	p := &benchProcess{cmd: cmd, said: &tail{}}
	pipe := cmd.StdoutPipe
	if from == inLog {
		pipe = cmd.StderrPipe
	} else {
		cmd.Stderr = p.said
	}
	lines, err := pipe()
	if err != nil {
		return nil, err
	}
	p.lines = bufio.NewReader(lines)
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return p, nil
}

// drainLog reads on what the process logs, so that it never has to wait for us.
func (p *benchProcess) drainLog() {
	p.drain.Go(func() { _, _ = io.Copy(p.said, p.lines) }) // it fails when the process has ended
}

// end stops the process and waits for it.
func (p *benchProcess) end() {
	_ = p.cmd.Cancel() // it may have ended already
	_ = p.stdin.Close()
	p.drain.Wait()
	_, _ = io.Copy(io.Discard, p.lines)
	_ = p.cmd.Wait() // how it ended is of no interest: we told it to
}

// broke is the error of a process that did not do as it should.
func (p *benchProcess) broke(what string, err error) error {
	p.end()
	said := strings.TrimSpace(p.said.String())
	if said == "" {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: %w; it said:\n%s", what, err, said)
}

// tail keeps the last of what is written to it.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

func (t *tail) Write(p []byte) (int, error) {
	const most = 4 << 10
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if len(t.kept) > 2*most {
		t.kept = bytes.Clone(t.kept[len(t.kept)-most:])
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.kept)
}

// cpuTime is what a process has used, in user and in kernel mode; pid may be
// "self". The kernel counts in hundredths of a second.
func cpuTime(pid string) (time.Duration, error) {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return 0, err
	}
	return parseCPUTime(string(stat))
}

func parseCPUTime(stat string) (time.Duration, error) {
	// The name, in brackets, may hold anything. Of what follows it, user time is
	// the 12th field and kernel time the 13th.
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, errors.New("read CPU time: /proc/PID/stat is too short")
	}
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read CPU time: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// memory is what a process occupies, in bytes.
type memory struct {
	now  int64 // VmRSS
	peak int64 // VmHWM: the most it ever was
	file int64 // RssFile: of now, what is of files, that is of the program itself
}

func (p *benchProcess) memory() (memory, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return memory{}, err
	}
	return parseMemory(string(status))
}

func parseMemory(status string) (m memory, err error) {
	for name, value := range map[string]*int64{"VmRSS:": &m.now, "VmHWM:": &m.peak, "RssFile:": &m.file} {
		_, rest, ok := strings.Cut("\n"+status, "\n"+name)
		number, _, unit := strings.Cut(strings.TrimSpace(rest), " kB")
		if !ok || !unit {
			return memory{}, fmt.Errorf("read memory: no %s in /proc/PID/status", strings.TrimSuffix(name, ":"))
		}
		kilobytes, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return memory{}, fmt.Errorf("read memory: %w", err)
		}
		*value = kilobytes << 10
	}
	return m, nil
}

// sleep waits, unless ctx is done first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
