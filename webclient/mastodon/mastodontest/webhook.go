package mastodontest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// Webhook is one delivery as Mastodon's WebhookService and Webhooks::DeliveryWorker
// make it: the event about a local person as they are now, signed with the secret
// that the admin page shows. The real server sends account.updated when a row of its
// table accounts changed: suspended, moved, deleted, and also a new display name or
// picture. A login that is only disabled changes another table and is not told; it
// shows in the next event.
func (s *Server) Webhook(ctx context.Context, target, secret, event, username string) (*http.Request, error) {
	body, err := s.webhookBody(target, event, username)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("mastodontest: webhook: %w", err)
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Hub-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	r.Header.Set("User-Agent", "Mastodon/"+s.version()+" (http.rb/5.3.1; +https://"+s.opt.Domain+"/)")
	return r, nil
}

// SendWebhook delivers a Webhook and returns the status that it was answered with.
func (s *Server) SendWebhook(ctx context.Context, target, secret, event, username string) (status int, err error) {
	r, err := s.Webhook(ctx, target, secret, event, username)
	if err != nil {
		return 0, err
	}
	res, err := s.upstream.RoundTrip(r)
	if err != nil {
		return 0, fmt.Errorf("mastodontest: webhook: %w", err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20)); err != nil {
		return 0, fmt.Errorf("mastodontest: webhook: %w", err)
	}
	return res.StatusCode, nil
}

func (s *Server) webhookBody(origin, event, username string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.people.local(username)
	if p == nil {
		return nil, fmt.Errorf("mastodontest: nobody is called %q", username)
	}
	if s.opt.Origin != "" {
		origin = s.opt.Origin
	}
	return json.Marshal(map[string]any{
		"event": event, "created_at": s.now().UTC().Format("2006-01-02T15:04:05.000Z"), "object": s.adminEntity(origin, p),
	})
}

// adminEntity is Admin::Account. What belongs to the user row is null where that is
// gone.
func (s *Server) adminEntity(origin string, p *person) map[string]any {
	m := map[string]any{
		"id": p.id, "username": p.username, "domain": nil, "created_at": "2022-11-05T00:00:00.000Z",
		"email": p.username + "@mail.example", "ip": nil, "role": s.roleEntity(p), "locale": "en", "invite_request": nil, "ips": []any{},
		"confirmed": p.state != Unconfirmed, "approved": p.state != Pending, "disabled": p.state == Disabled,
		"suspended": p.state == Suspended || p.state == Deleted, "silenced": false, "sensitized": false,
		"account": s.accountEntity(origin, p),
	}
	if p.state == Deleted {
		for _, k := range []string{"email", "role", "locale", "confirmed", "approved", "disabled"} {
			m[k] = nil
		}
	}
	return m
}
