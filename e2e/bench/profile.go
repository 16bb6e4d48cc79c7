package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// profile asks the gateway for a profile of what it does from now on, for this
// long. The function that it returns waits for it.
func (r *rig) profile(ctx context.Context, what, file string, length time.Duration) (finish func() error) {
	result := make(chan error, 1)
	go func() { // ends with the answer or with ctx
		result <- fetch(ctx, fmt.Sprintf("http://%s/debug/pprof/%s?seconds=%.0f", r.pprof, what, length.Seconds()), file)
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
