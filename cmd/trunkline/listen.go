package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/trunkline-chat/trunkline/internal/config"
)

// listener is an HTTP server on its socket.
type listener struct {
	server *http.Server
	socket net.Listener
}

// listeners are the sockets of a node.
type listeners struct {
	public, private *listener
	ldap            []ldapListener
}

// listen opens all sockets, so that a port that is taken is told before anything
// runs, and logs where they are.
func (n *node) listen(ctx context.Context) (l listeners, err error) {
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if l.private, err = n.open(ctx, "private", n.cfg.Server.PrivateListen, n.privateRoutes()); err != nil {
		return l, err
	}
	if l.private.socket, err = n.secured(l.private.socket); err != nil {
		return l, err
	}
	if l.ldap, err = n.listenLDAP(ctx); err != nil {
		return l, err
	}
	l.public, err = n.open(ctx, "public", n.cfg.Server.Listen, n.publicRoutes())
	return l, err
}

// close closes what was opened.
func (l listeners) close() {
	for _, one := range []*listener{l.public, l.private} {
		if one != nil {
			one.socket.Close()
		}
	}
	for _, one := range l.ldap {
		one.socket.Close()
	}
}

// bind opens one socket.
func (n *node) bind(ctx context.Context, which, listen string) (net.Listener, error) {
	network, address := config.Network(listen)
	if network == "unix" {
		if err := removeStale(ctx, address); err != nil {
			return nil, fmt.Errorf("%s listener: %w", which, err)
		}
	}
	var lc net.ListenConfig
	socket, err := lc.Listen(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("%s listener: %w", which, err)
	}
	n.log.Info("listening", "listener", which, "address", socket.Addr().String())
	return socket, nil
}

func (n *node) open(ctx context.Context, which, listen string, routes http.Handler) (*listener, error) {
	socket, err := n.bind(ctx, which, listen)
	if err != nil {
		return nil, err
	}
	return &listener{socket: socket, server: &http.Server{
		Handler: routes,
		// Bodies and answers have limits of their own where they are read:
		// sockets and event streams stay open for hours.
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(n.log.Handler(), slog.LevelWarn),
	}}, nil
}

// serve answers requests until the server is shut down or closed.
func (l *listener) serve() error {
	if err := l.server.Serve(l.socket); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("listener %s: %w", l.socket.Addr(), err)
	}
	return nil
}

// publicRoutes is what browsers reach. The WebSocket stands beside the web side,
// outside its session handling: a socket lives for hours, and a session that was
// ended meanwhile must not be written back when it closes (docs/adr/0002).
func (n *node) publicRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/xmpp-websocket", n.gateway)
	mux.Handle("/", n.web.Handler())
	return mux
}

// privateRoutes is what the XMPP server and the admin's tools reach.
func (n *node) privateRoutes() http.Handler {
	mux := n.fronts.routes
	mux.Handle("GET /metrics", promhttp.HandlerFor(n.metrics, promhttp.HandlerOpts{}))
	// The process runs: restart it when this fails.
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", n.readyz)
	return mux
}

// readyz says whether this node can serve people, and if not, why: whoever
// balances load sends nobody here while it says no.
func (n *node) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), time.Second)
	defer cancel()
	problem, since := n.gateway.Reachable()
	switch {
	case !n.ready.Load():
		answer(w, http.StatusServiceUnavailable, "starting or ending")
	case n.db.PingContext(ctx) != nil:
		answer(w, http.StatusServiceUnavailable, "the database does not answer")
	case problem != "":
		answer(w, http.StatusServiceUnavailable, "the XMPP server cannot be used since "+since.UTC().Format(time.RFC3339)+": "+problem)
	default:
		answer(w, http.StatusOK, "ready")
	}
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprintln(w, text)
}

// removeStale removes a socket that a crash has left behind, and nothing that
// somebody listens on or that is no socket.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s exists and is not a socket", path)
	}
	var d net.Dialer
	if conn, err := d.DialContext(ctx, "unix", path); err == nil {
		conn.Close()
		return fmt.Errorf("somebody listens on %s already", path)
	}
	return os.Remove(path)
}
