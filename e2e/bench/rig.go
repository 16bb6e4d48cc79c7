package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/trunkline-chat/trunkline/e2e/bench/load"
	"github.com/trunkline-chat/trunkline/internal/integration"
)

// The ways to a server, as they are chosen with -only.
const (
	wayTCP     = "tcp"     // the floor: no WebSocket at all
	wayNative  = "native"  // the server's own WebSocket
	wayNginx   = "nginx"   // nginx before that
	wayPlain   = "plain"   // a relay that judges nothing, before the TCP port
	wayGateway = "gateway" // ours, for people who show their presence
	wayHidden  = "hidden"  // ours, for people who show nothing
)

var allWays = []string{wayTCP, wayNative, wayNginx, wayPlain, wayGateway, wayHidden}

// rig is one server and what stands before it.
type rig struct {
	name   string
	server xmppServer
	people people
	fronts map[string]*program // by way; the two of ours are one
	ways   map[string]load.Way
	pprof  string // where the gateway answers for profiles, "" if it does not

	closes []func()
}

// newRig starts a server and the fronts that the ways need.
func newRig(ctx context.Context, o options, name, dir string, s *store, p people) (*rig, error) {
	r := &rig{name: name, people: p, fronts: map[string]*program{}, ways: map[string]load.Way{}}
	if err := r.start(ctx, o, dir, s); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *rig) start(ctx context.Context, o options, dir string, s *store) (err error) {
	if r.server, err = launch(ctx, r.name, filepath.Join(dir, r.name), r.people.all()); err != nil {
		return err
	}
	r.closes = append(r.closes, r.server.Stop)
	if r.ways[wayTCP], err = tcp(r.server); err != nil {
		return err
	}
	if r.ways[wayNative], err = native(r.server); err != nil {
		return err
	}
	for _, way := range o.ways() {
		if err := r.addFront(ctx, o, way, dir, s); err != nil {
			return fmt.Errorf("%s: %w", way, err)
		}
	}
	return nil
}

func (r *rig) addFront(ctx context.Context, o options, way, dir string, s *store) (err error) {
	switch way {
	case wayPlain:
		err = r.addPlain(ctx, dir)
	case wayNginx:
		err = r.addNginx(ctx, dir)
	case wayGateway, wayHidden:
		if r.fronts[wayGateway] == nil {
			err = r.addGateway(ctx, o, dir, s)
		}
	}
	return err
}

// add starts a program as the front of ways.
func (r *rig) add(ctx context.Context, p *program, way load.Way, names ...string) error {
	if err := p.start(ctx); err != nil {
		return err
	}
	r.closes = append(r.closes, p.stop)
	for _, name := range names {
		r.fronts[name], r.ways[name] = p, way
	}
	return nil
}

func (r *rig) addPlain(ctx context.Context, dir string) error {
	listen, err := freeAddr()
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	way, err := webSocket("ws://" + listen + "/xmpp-websocket")
	if err != nil {
		return err
	}
	return r.add(ctx, &program{
		addr: listen, log: filepath.Join(dir, r.name+"-plain.log"),
		args: []string{self, partPlain, listen, r.server.Addr()},
	}, way, wayPlain)
}

func (r *rig) addNginx(ctx context.Context, dir string) error {
	listen, err := freeAddr()
	if err != nil {
		return err
	}
	way := r.ways[wayNative]
	file := filepath.Join(dir, r.name+"-nginx.conf")
	if err := os.WriteFile(file, []byte(nginxFile(dir, listen, way.Addr.String())), 0o600); err != nil {
		return err
	}
	if way, err = webSocket("ws://" + listen + way.Path); err != nil {
		return err
	}
	return r.add(ctx, &program{
		addr: listen, log: filepath.Join(dir, r.name+"-nginx.log"),
		args: []string{"nginx", "-p", dir, "-c", file, "-e", "stderr"},
	}, way, wayNginx)
}

// nginxFile is nginx as an admin puts it before a WebSocket, with nothing that
// slows it down.
func nginxFile(dir, listen, to string) string {
	return fmt.Sprintf(`daemon off;
worker_processes auto;
worker_rlimit_nofile 20000;
pid %[1]s/nginx.pid;
events { worker_connections 12000; }
http {
  access_log off;
  client_body_temp_path %[1]s/nginx-1;
  proxy_temp_path %[1]s/nginx-2;
  fastcgi_temp_path %[1]s/nginx-3;
  uwsgi_temp_path %[1]s/nginx-4;
  scgi_temp_path %[1]s/nginx-5;
  server {
    listen %[2]s backlog=1024;
    location / {
      proxy_pass http://%[3]s;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
      proxy_read_timeout 1h;
      proxy_buffering off;
    }
  }
}
`, dir, listen, to)
}

func (r *rig) addGateway(ctx context.Context, o options, dir string, s *store) error {
	var free [3]int
	for i := range free {
		var err error
		if free[i], err = integration.FreePort(); err != nil {
			return err
		}
	}
	_, port, err := net.SplitHostPort(r.server.Addr())
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	file, err := s.writeConfig(r.name, ports{public: free[0], private: free[1], server: number})
	if err != nil {
		return err
	}
	listen := fmt.Sprintf("127.0.0.1:%d", free[0])
	way, err := webSocket("ws://" + listen + "/xmpp-websocket")
	if err != nil {
		return err
	}
	way.Origin = "http://" + listen
	p := &program{addr: listen, log: filepath.Join(dir, r.name+"-trunkline.log"), args: []string{o.binary, "serve", "--config", file}}
	if o.profiles() {
		r.pprof = fmt.Sprintf("127.0.0.1:%d", free[2])
		p.env = []string{"TRUNKLINE_BENCH_PPROF=" + r.pprof}
	}
	return r.add(ctx, p, way, wayGateway, wayHidden)
}

func freeAddr() (string, error) {
	port, err := integration.FreePort()
	return fmt.Sprintf("127.0.0.1:%d", port), err
}

// talkers are those who talk on a way.
func (r *rig) talkers(way string, pairs int) []load.Account {
	if way == wayHidden {
		return r.people.hidden[:2*pairs]
	}
	return r.people.shown[:2*pairs]
}

// meter measures the processes of a way.
func (r *rig) meter(way string) *meter {
	m := &meter{server: tree(r.server.PID())}
	if p := r.fronts[way]; p != nil {
		m.front = tree(p.pid())
	}
	return m
}

// restart ends all processes and starts them anew.
func (r *rig) restart(ctx context.Context) error {
	r.stop()
	if err := r.server.Start(ctx); err != nil {
		return err
	}
	var failed error
	for _, p := range r.programs() {
		failed = errors.Join(failed, p.start(ctx))
	}
	return failed
}

func (r *rig) programs() []*program {
	var list []*program
	for _, way := range allWays {
		if p := r.fronts[way]; p != nil && !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	return list
}

func (r *rig) stop() {
	for _, p := range r.programs() {
		p.stop()
	}
	r.server.Stop()
}

func (r *rig) close() {
	for _, f := range slices.Backward(r.closes) {
		f()
	}
}
