package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
)

// profile asks the gateway for a profile of its processor time from now on, if
// one is wanted of this way and this run. The function that it returns waits
// for it. What is measured must take as long as o says.
func (r *rig) profile(ctx context.Context, o options, way, part string, last bool) (finish func() error) {
	if !last || o.cpuProfile == "" || r.fronts[way] == nil || r.fronts[way] != r.fronts[wayGateway] {
		return func() error { return nil }
	}
	file := o.cpuProfile + "-" + r.name + "-" + way + part
	seconds := (o.warm + o.length()).Seconds()
	result := make(chan error, 1)
	go func() { // ends with the answer or with ctx
		result <- fetch(ctx, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%.0f", r.pprof, seconds), file)
	}()
	return func() error { return <-result }
}

func fetch(ctx context.Context, url, file string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("%w (is the binary one of scripts/bench.sh?)", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, res.Status)
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, res.Body); err != nil {
		_ = out.Close() // the error before it says more
		return err
	}
	return out.Close()
}
