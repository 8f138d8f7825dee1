package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"time"
)

// A child process is this program again, with its role as the argument. It reads its
// configuration from the first line of its standard input, reports that it is ready, and
// reads from the second line when the run starts. It ends when its input does, so that no
// child outlives the parent.

// The roles of a child.
const (
	serverRole = "server"
	clientRole = "client"
)

// report is a line that a child writes.
type report struct {
	Ready  bool   `json:",omitempty"`
	Counts counts `json:",omitempty"`
}

// isChild reports whether this process is a child.
func isChild(args []string) bool {
	return len(args) == 2 && (args[1] == serverRole || args[1] == clientRole)
}

// beChild plays the role.
func beChild(role string) error {
	in, out := bufio.NewReader(os.Stdin), json.NewEncoder(os.Stdout)
	line, err := in.ReadBytes('\n')
	if err != nil {
		return err
	}
	if role == serverRole {
		return beServer(line, in, out)
	}
	return beClient(line, in, out)
}

func beServer(config []byte, in *bufio.Reader, out *json.Encoder) error {
	var c serverConfig
	if err := json.Unmarshal(config, &c); err != nil {
		return err
	}
	s := newServer(c)
	var listener net.Listener
	if c.ListenAt == 0 {
		var err error
		if listener, err = s.listen(); err != nil {
			return err
		}
	}
	ctx, start, err := ready(in, out)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, longest(c.Scenario.Horizon))
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx, listener, start) }()
	for tick := time.Tick(100 * time.Millisecond); ; { // often, since it may be killed
		select {
		case err := <-ended:
			return errors.Join(err, out.Encode(s.take()))
		case <-tick:
			if err := out.Encode(s.take()); err != nil {
				return err
			}
		}
	}
}

func beClient(config []byte, in *bufio.Reader, out *json.Encoder) error {
	var c clientConfig
	if err := json.Unmarshal(config, &c); err != nil {
		return err
	}
	client := newClient(c)
	ctx, start, err := ready(in, out)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, longest(c.Horizon))
	defer cancel()
	ended := make(chan struct{})
	go func() {
		client.run(start)
		close(ended)
	}()
	select {
	case <-ended:
		return out.Encode(client.take())
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ready reports that the child is ready, and returns when the run starts. The context ends
// with the standard input.
func ready(in *bufio.Reader, out *json.Encoder) (context.Context, time.Time, error) {
	if err := out.Encode(report{Ready: true}); err != nil {
		return nil, time.Time{}, err
	}
	var start time.Time
	line, err := in.ReadBytes('\n')
	if err != nil {
		return nil, start, err
	}
	if err := json.Unmarshal(line, &start); err != nil {
		return nil, start, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		io.Copy(io.Discard, in)
		cancel()
	}()
	return ctx, start, nil
}

// longest bounds how long a run takes whose calls begin within the horizon.
func longest(horizon time.Duration) time.Duration { return horizon + callDeadline + 30*time.Second }

// child is a child process, as its parent sees it.
type child struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *json.Decoder
	ended chan error // with the result of collect
}

// startChild starts a child, and waits until it is ready. It is killed when ctx ends.
func startChild(ctx context.Context, role string, config any) (*child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.CommandContext(ctx, program, role), ended: make(chan error, 1)}
	c.cmd.Env = append(os.Environ(), "GOMAXPROCS=1") // there are many
	c.cmd.Stderr = os.Stderr
	c.cmd.WaitDelay = 5 * time.Second
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	c.out = json.NewDecoder(out)
	var r report
	if err = c.send(config); err == nil {
		err = c.out.Decode(&r)
	}
	if err != nil || !r.Ready {
		c.in.Close()
		return nil, fmt.Errorf("%s is not ready: %w", role, errors.Join(err, c.cmd.Wait()))
	}
	return c, nil
}

func (c *child) send(message any) error { return json.NewEncoder(c.in).Encode(message) }

// start tells the child when the run starts. What it counts then comes to t.
func (c *child) start(at time.Time, t *tally) error {
	if err := c.send(at); err != nil {
		return err
	}
	go func() {
		for {
			var r report
			err := c.out.Decode(&r)
			if errors.Is(err, io.EOF) {
				err = nil
			} else if err == nil {
				t.merge(r)
				continue
			}
			c.ended <- errors.Join(err, c.cmd.Wait())
			return
		}
	}()
	return nil
}

// wait waits until the child has ended by itself.
func (c *child) wait() error { return <-c.ended }

// stop ends the child by the end of its input, and waits for its last report.
func (c *child) stop() error {
	c.in.Close()
	return c.wait()
}

// kill kills the child, so that the system drops its connections.
func (c *child) kill() {
	c.cmd.Process.Kill()
	<-c.ended // with the signal, which is no surprise
}
