package mastodontest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// Browser goes through the pages of a login as a person does, for tests without a
// browser. It keeps cookies, and is for one goroutine at a time.
type Browser struct {
	User string // who signs in
	Deny bool   // press Deny instead of Authorize
	Stop bool   // go away at the allow page

	// Pressed is what was pressed in the last Authorize, in order.
	Pressed []string

	client *http.Client
}

// ErrStopped is Authorize's error where Browser.Stop says to go away.
var ErrStopped = errors.New("mastodontest: left the allow page")

// NewBrowser is a browser with no cookies in the hands of user.
func NewBrowser(user string) *Browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // cannot happen without options
	}
	own := http.DefaultTransport.(*http.Transport).Clone()
	own.DisableKeepAlives = true
	return &Browser{User: user, client: &http.Client{
		Jar: jar, Transport: own,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Client is the HTTP client with the browser's cookies; it follows no redirects.
func (b *Browser) Client() *http.Client { return b.client }

// Authorize opens authURL, signs in and allows where asked, and returns the first URL
// that leads away from the instance: the callback.
func (b *Browser) Authorize(ctx context.Context, authURL string) (callback string, err error) {
	b.Pressed = nil
	at, err := url.Parse(authURL)
	if err != nil {
		return "", fmt.Errorf("mastodontest: %w", err)
	}
	home := at.Host
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, authURL, nil)
	if err != nil {
		return "", fmt.Errorf("mastodontest: %w", err)
	}
	for range 12 {
		r.Header.Set("User-Agent", "Mozilla/5.0 (stand-in browser)")
		res, err := b.client.Do(r)
		if err != nil {
			return "", fmt.Errorf("mastodontest: %w", err)
		}
		page, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
		res.Body.Close()
		if err != nil {
			return "", fmt.Errorf("mastodontest: %w", err)
		}
		if to := res.Header.Get("Location"); to != "" {
			u, err := r.URL.Parse(to)
			if err != nil {
				return "", fmt.Errorf("mastodontest: %w", err)
			}
			if u.Host != home {
				return u.String(), nil
			}
			if r, err = http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil); err != nil {
				return "", fmt.Errorf("mastodontest: %w", err)
			}
			continue
		}
		if r, err = b.press(ctx, r.URL, res.StatusCode, string(page)); err != nil {
			return "", err
		}
	}
	return "", errors.New("mastodontest: the login does not end")
}

// press fills in the page's form and presses its button.
func (b *Browser) press(ctx context.Context, at *url.URL, status int, page string) (*http.Request, error) {
	title, forms := readForms(page)
	for _, f := range forms {
		if f.values.Has("user[password]") && !f.fillable || f.button == "Logout" {
			continue // the shortcuts
		}
		deny := f.values.Get("_method") == "delete"
		switch {
		case f.fillable:
			for k := range f.values {
				switch k {
				case "user[email]", "username":
					f.values.Set(k, b.User)
				case "user[password]", "password":
					f.values.Set(k, Password)
				}
			}
		case b.Stop:
			return nil, ErrStopped
		case deny != b.Deny:
			continue
		}
		b.Pressed = append(b.Pressed, f.button)
		u, err := at.Parse(f.action)
		if err != nil {
			return nil, fmt.Errorf("mastodontest: %w", err)
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(f.values.Encode()))
		if err != nil {
			return nil, fmt.Errorf("mastodontest: %w", err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return r, nil
	}
	return nil, fmt.Errorf("mastodontest: nothing to press at %s (HTTP %d, %q)", at.Path, status, title)
}

type form struct {
	action, button string
	values         url.Values
	fillable       bool // has a field to type into
}

func readForms(page string) (title string, forms []*form) {
	var text *string
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return title, forms
		case html.TextToken:
			if text != nil {
				*text += string(z.Text())
			}
		case html.EndTagToken:
			text = nil
		case html.StartTagToken, html.SelfClosingTagToken:
			t := z.Token()
			attr := map[string]string{}
			for _, a := range t.Attr {
				attr[a.Key] = a.Val
			}
			switch {
			case t.Data == "title":
				text = &title
			case t.Data == "form":
				forms = append(forms, &form{action: attr["action"], values: url.Values{}})
			case len(forms) == 0:
			case t.Data == "button":
				text = &forms[len(forms)-1].button
			case t.Data == "input" && attr["name"] != "":
				f := forms[len(forms)-1]
				f.values.Set(attr["name"], attr["value"])
				f.fillable = f.fillable || attr["type"] == "password"
			}
		}
	}
}
