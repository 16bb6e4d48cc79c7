package webclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"rsc.io/qr"
)

// Services that a device password can be for.
const (
	serviceXMPP = "xmpp"
	serviceSIP  = "sip"
)

const (
	deviceLimit   = 50                  // live device passwords of one account, as the panel tells it
	deviceNameMax = 60                  // characters
	deviceStale   = 90 * 24 * time.Hour // unused for so long
	reasonRemoved = "device_removed"    // as the revocation feed tells it
)

// What a DeviceKeeper may refuse with; other errors mean that it cannot be done now.
var (
	ErrBadDeviceName  = errors.New("webclient: not a name for a device")
	ErrBadService     = errors.New("webclient: no such service")
	ErrTooManyDevices = errors.New("webclient: the account has too many device passwords")
	// ErrCannotTell: Mastodon cannot be asked now whether the account is welcome.
	ErrCannotTell = errors.New("webclient: it cannot be told now whether the account may be used")
	// ErrSuspended: Mastodon refuses the account, for whatever reason.
	ErrSuspended = errors.New("webclient: the instance does not let the account in")
	// ErrBlocked: the admin here has blocked the account.
	ErrBlocked = errors.New("webclient: the account is blocked")
)

// Device is a device password without its secret.
type Device struct {
	ID      string
	Name    string
	Service string // "xmpp" or "sip"
	Login   string // what a SIP phone signs in as; "" for chat apps

	Created      time.Time
	LastUsed     *time.Time // nil: never
	LastUsedFrom string     // a network such as "203.0.113.0/24", or ""
	LastUsedBy   string     // short name of the server that asked last, or ""
}

// DeviceKeeper keeps device passwords. An error with a method RetryAfter()
// time.Duration is a rate limit; others of note are ErrBadDeviceName, ErrBadService,
// ErrTooManyDevices, ErrCannotTell, ErrSuspended and ErrBlocked.
type DeviceKeeper interface {
	IssueDevice(ctx context.Context, account, service, name string) (d Device, secret string, err error)
	Devices(ctx context.Context, account string) ([]Device, error) // live, newest first
	RevokeDevice(ctx context.Context, account, id, reason string) (found bool, err error)
}

type deviceJSON struct {
	ID           string  `json:"id"`
	Name         string  `json:"name"`
	Service      string  `json:"service"`
	Login        string  `json:"login"`
	CreatedAt    string  `json:"created_at"`   // RFC 3339
	LastUsedAt   *string `json:"last_used_at"` // RFC 3339
	LastUsedFrom string  `json:"last_used_from"`
	LastUsedBy   string  `json:"last_used_by"`
	Stale        bool    `json:"stale"`
}

type serviceJSON struct {
	Service string `json:"service"`
	Server  string `json:"server,omitempty"`
}

type devicesJSON struct {
	Devices  []deviceJSON  `json:"devices"`
	Limit    int           `json:"limit"`
	Services []serviceJSON `json:"services"`
}

// codeJSON is a QR code: one text of "0" and "1" for each row, 1 is dark.
type codeJSON struct {
	Text string   `json:"text"`
	Size int      `json:"size"`
	Rows []string `json:"rows"`
}

type newDeviceJSON struct {
	Device deviceJSON `json:"device"`
	Secret string     `json:"secret"`
	Login  string     `json:"login"`
	Server string     `json:"server"`
	QR     codeJSON   `json:"qr"`
}

var (
	errNoDevices = &apiError{status: http.StatusNotFound, code: "not_available",
		message: "This server has no passwords for apps and devices."}
	errDeviceName = &apiError{status: http.StatusBadRequest, code: "bad_name",
		message: fmt.Sprintf("Give the device a name of 1 to %d characters.", deviceNameMax)}
	errDeviceService = &apiError{status: http.StatusBadRequest, code: "bad_service",
		message: "There are no passwords for this kind of app here."}
	errDeviceLimit = &apiError{status: http.StatusConflict, code: "too_many_devices",
		message: fmt.Sprintf("You have %d passwords already. Remove one that you no longer use.", deviceLimit)}
	errDeviceGone = &apiError{status: http.StatusNotFound, code: "not_found",
		message: "This password does not exist any more."}
)

// listDevices is GET /api/v1/devices.
func (s *Server) listDevices(w http.ResponseWriter, r *http.Request, l login) error {
	if s.cfg.Devices == nil {
		return errNoDevices
	}
	list, err := s.cfg.Devices.Devices(r.Context(), l.account)
	if err != nil {
		return fmt.Errorf("webclient: devices: %w", err)
	}
	out := devicesJSON{Devices: make([]deviceJSON, 0, len(list)), Limit: deviceLimit, Services: s.services()}
	for _, d := range list {
		out.Devices = append(out.Devices, s.device(d, l))
	}
	s.answer(w, r, http.StatusOK, out)
	return nil
}

// services are those that passwords can be made for.
func (s *Server) services() []serviceJSON {
	list := []serviceJSON{{Service: serviceXMPP}}
	if s.cfg.SIPServer != "" {
		list = append(list, serviceJSON{Service: serviceSIP, Server: s.cfg.SIPServer})
	}
	return list
}

// createDevice is POST /api/v1/devices. The secret is told in this answer and
// never again.
func (s *Server) createDevice(w http.ResponseWriter, r *http.Request, l login) error {
	if s.cfg.Devices == nil {
		return errNoDevices
	}
	var body struct{ Name, Service string }
	if err := readJSON(r, &body); err != nil {
		return err
	}
	name := strings.TrimSpace(body.Name)
	switch {
	case !deviceName(name):
		return errDeviceName
	case body.Service != serviceXMPP && (body.Service != serviceSIP || s.cfg.SIPServer == ""):
		return errDeviceService
	}
	if wait := s.newDevices.wait(l.account, s.cfg.Now()); wait > 0 {
		return tooManyAtOnce(wait)
	}
	ctx := r.Context()
	if err := s.confirmStanding(ctx, l.account); err != nil {
		return err
	}
	d, secret, err := s.cfg.Devices.IssueDevice(ctx, l.account, body.Service, name)
	if err != nil {
		return s.deviceError(ctx, l.account, err)
	}
	// Whoever was signed out meanwhile will not see the answer, and must not leave
	// a password behind that they never saw.
	if _, err := s.liveLogin(ctx, l.id, false); err != nil {
		if _, revoke := s.cfg.Devices.RevokeDevice(context.WithoutCancel(ctx), l.account, d.ID, reasonSignedOut); revoke != nil {
			return revoke
		}
		return err
	}
	s.cfg.Log.InfoContext(ctx, "device password made", "account", l.account, "device", d.ID, "service", d.Service)
	out, err := s.newDevice(d, secret, l)
	if err != nil {
		return err
	}
	s.answer(w, r, http.StatusCreated, out)
	return nil
}

// deviceName tells whether a name is one that can be shown.
func deviceName(name string) bool {
	return name != "" && utf8.ValidString(name) && utf8.RuneCountInString(name) <= deviceNameMax &&
		!strings.ContainsFunc(name, unicode.IsControl)
}

func (s *Server) deviceError(ctx context.Context, account string, err error) error {
	var limited interface{ RetryAfter() time.Duration }
	switch {
	case errors.Is(err, ErrBadDeviceName):
		return errDeviceName
	case errors.Is(err, ErrBadService):
		return errDeviceService
	case errors.Is(err, ErrTooManyDevices):
		return errDeviceLimit
	case errors.Is(err, ErrCannotTell):
		return s.refusal(standing{}, &cannotTell{err})
	case errors.Is(err, ErrBlocked):
		return s.refusal(standing{blocked: true}, nil)
	case errors.Is(err, ErrSuspended):
		st, err := s.readStanding(ctx, account)
		if err == nil && !st.refused { // it has changed again meanwhile
			st = standing{now: standingSuspended, refused: true}
		}
		return s.refusal(st, err)
	case errors.As(err, &limited):
		return tooManyAtOnce(limited.RetryAfter())
	}
	return fmt.Errorf("webclient: devices: %w", err)
}

func tooManyAtOnce(wait time.Duration) error {
	return &apiError{status: http.StatusTooManyRequests, code: "rate_limited", retryAfter: wait,
		message: "Too many passwords in a short time. Wait a little, then try again."}
}

// deleteDevice is DELETE /api/v1/devices/{id}.
func (s *Server) deleteDevice(w http.ResponseWriter, r *http.Request, l login) error {
	if s.cfg.Devices == nil {
		return errNoDevices
	}
	id := r.PathValue("id")
	found, err := s.cfg.Devices.RevokeDevice(r.Context(), l.account, id, reasonRemoved)
	switch {
	case err != nil:
		return fmt.Errorf("webclient: devices: %w", err)
	case !found:
		return errDeviceGone
	}
	s.cfg.Log.InfoContext(r.Context(), "device password revoked", "account", l.account, "device", id)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) device(d Device, l login) deviceJSON {
	out := deviceJSON{ID: d.ID, Name: d.Name, Service: d.Service, Login: s.deviceLogin(d, l),
		CreatedAt: stamp(d.Created), LastUsedFrom: d.LastUsedFrom, LastUsedBy: d.LastUsedBy}
	since := d.Created
	if d.LastUsed != nil {
		at := stamp(*d.LastUsed)
		out.LastUsedAt, since = &at, *d.LastUsed
	}
	// Nobody tells when a phone was used: its server reads the database by itself.
	out.Stale = d.Service != serviceSIP && s.cfg.Now().Sub(since) > deviceStale
	return out
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// deviceLogin is what a person types beside the password.
func (s *Server) deviceLogin(d Device, l login) string {
	if d.Service == serviceSIP {
		return d.Login
	}
	return s.jid(l.username)
}

// newDevice is the answer that shows the secret. The QR code holds the address and
// never the secret: a camera shows and keeps what it sees.
func (s *Server) newDevice(d Device, secret string, l login) (newDeviceJSON, error) {
	out := newDeviceJSON{Device: s.device(d, l), Secret: secret, Login: s.deviceLogin(d, l), Server: s.cfg.XMPPDomain}
	text := "xmpp:" + out.Login
	if d.Service == serviceSIP {
		// A person has one SIP address, like a mail address; each phone has a name of
		// its own to sign in with.
		out.Server = s.cfg.SIPServer
		text = "sip:" + s.jid(l.username)
	}
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return newDeviceJSON{}, fmt.Errorf("webclient: QR code: %w", err)
	}
	out.QR = codeJSON{Text: text, Size: code.Size, Rows: make([]string, code.Size)}
	for y := range out.QR.Rows {
		row := make([]byte, code.Size)
		for x := range row {
			row[x] = '0'
			if code.Black(x, y) {
				row[x] = '1'
			}
		}
		out.QR.Rows[y] = string(row)
	}
	return out, nil
}
