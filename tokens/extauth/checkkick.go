package extauth

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// longestNegotiation is how long a connection may stand between its password and
// its session: Trunkline looks for sessions once more 35 s after a password was
// revoked. defaultNegotiation is ejabberd's own.
const (
	longestNegotiation = 30 * time.Second
	defaultNegotiation = 120 * time.Second
)

// kickCommands are what Trunkline calls to end sessions.
var kickCommands = []string{"kick_session", "user_resources"}

// checkKicks is about what ends sessions when a password is revoked.
func (f *ejabberdFile) checkKicks() {
	api := f.hasAPI()
	if api {
		f.look("api_permissions, acl, mod_admin_extra: who may end sessions through mod_http_api")
		f.checkPermissions()
	} else {
		f.look("mod_http_api, which is not there: without it revoking a password does not end the sessions that chat apps have open")
	}
	if _, written := f.Global["negotiation_timeout"]; written || api {
		f.checkNegotiation()
	}
}

func (f *ejabberdFile) hasAPI() bool {
	if f.has("mod_http_api") {
		return true
	}
	for _, l := range f.listeners() {
		handlers, _ := f.value(l["request_handlers"]).(map[string]any)
		for _, module := range handlers {
			if f.word(module) == "mod_http_api" {
				return true
			}
		}
	}
	return false
}

func (f *ejabberdFile) checkPermissions() {
	const end = "so revoking a password cannot end the sessions that chat apps have open"
	if !f.has("mod_admin_extra") {
		f.find("mod_admin_extra is missing, which has kick_session and user_resources, %s. Write under modules: mod_admin_extra: {}", end)
	}
	var who callers
	for i, command := range kickCommands {
		may := f.callersOf(command)
		if !may.some {
			f.find("api_permissions let nobody call %s through mod_http_api, %s. "+
				"Write the permission \"trunkline\" as in contrib/ejabberd/ejabberd.yml", command, end)
			return
		}
		if i == 0 {
			who = may
			continue
		}
		who.accounts = slices.DeleteFunc(who.accounts, func(a string) bool { return !slices.Contains(may.accounts, a) })
	}
	apart, inPlace := false, false
	for _, account := range who.accounts {
		_, host, _ := strings.Cut(account, "@")
		if !slices.ContainsFunc(f.Hosts, func(h string) bool { return f.word(h) == host }) {
			continue
		}
		inPlace = true
		methods := f.list(f.option(host, "auth_method"))
		apart = apart || !slices.Contains(methods, "external") && !slices.Contains(methods, "jwt")
	}
	switch {
	case apart:
	case inPlace:
		f.find("The account that may end sessions (%s) is on the chat domain, where whoever has its name at Mastodon has its rights. "+
			"Make it on a host of its own, such as trunkline@localhost", strings.Join(who.accounts, ", "))
	case len(who.accounts) > 0:
		f.find("The account that may end sessions (%s) is on no host of this file, %s. Write its host under hosts, with auth_method: mnesia "+
			"under host_config", strings.Join(who.accounts, ", "), end)
	default:
		f.find("api_permissions name no account, such as trunkline@localhost, that may call kick_session and user_resources: either nobody may, or " +
			"every program that reaches the API. Write the permission \"trunkline\" as in contrib/ejabberd/ejabberd.yml")
	}
}

// callers is who may call a command.
type callers struct {
	some     bool // a permission is about the command
	accounts []string
}

func (f *ejabberdFile) callersOf(command string) (c callers) {
	f.steps = 0
	for _, p := range f.entries(f.Global["api_permissions"]) {
		from := f.list(p["from"])
		if p["from"] != nil && !slices.Contains(from, "mod_http_api") || !f.covers(p["what"], command) {
			continue
		}
		c.some = true
		c.accounts = append(c.accounts, f.accounts(p["who"])...)
	}
	slices.Sort(c.accounts)
	c.accounts = slices.Compact(c.accounts)
	return c
}

// entries are the values of a map, or of a list of maps.
func (f *ejabberdFile) entries(v any) (list []map[string]any) {
	if f.tired() {
		return nil
	}
	switch v := f.value(v).(type) {
	case map[string]any:
		for _, one := range v {
			if m, ok := f.value(one).(map[string]any); ok {
				list = append(list, m)
			}
		}
	case []any:
		for _, one := range v {
			list = append(list, f.entries(one)...)
		}
	}
	return list
}

// covers says whether a permission's what has a command in it.
func (f *ejabberdFile) covers(what any, command string) bool {
	words := f.list(what)
	if slices.Contains(words, "!"+command) {
		return false
	}
	return slices.Contains(words, "*") || slices.Contains(words, command) || slices.Contains(words, "[tag:session]")
}

// maxSteps ends rules and macros that name each other.
const maxSteps = 10_000

// tired says that there were too many steps, and counts one more.
func (f *ejabberdFile) tired() bool {
	f.steps++
	return f.steps > maxSteps
}

// accounts are those that a rule of access names, NAME@HOST each, also by way of
// acl and access_rules.
func (f *ejabberdFile) accounts(rule any) (list []string) {
	if f.tired() {
		return nil
	}
	switch rule := f.value(rule).(type) {
	case string:
		for _, section := range []string{"access_rules", "acl"} {
			named, _ := f.value(f.Global[section]).(map[string]any)
			if meant, ok := named[rule]; ok {
				return f.accounts(meant)
			}
		}
	case []any:
		for _, one := range rule {
			list = append(list, f.accounts(one)...)
		}
	case map[string]any:
		for key, v := range rule {
			switch key {
			case "user":
				list = append(list, f.users(v)...)
			case "acl", "access", "allow", "oauth":
				list = append(list, f.accounts(v)...)
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// users reads "a@b", {a: b}, and lists of these. A name without a host stands for
// that name on every host.
func (f *ejabberdFile) users(v any) (list []string) {
	if f.tired() {
		return nil
	}
	switch v := f.value(v).(type) {
	case string:
		name := strings.ToLower(v)
		switch {
		case name == "":
		case strings.Contains(name, "@"):
			list = append(list, name)
		default:
			for _, host := range f.Hosts {
				list = append(list, name+"@"+f.word(host))
			}
		}
	case map[string]any:
		for name, host := range v {
			list = append(list, strings.ToLower(name)+"@"+f.word(host))
		}
	case []any:
		for _, one := range v {
			list = append(list, f.users(one)...)
		}
	}
	return list
}

func (f *ejabberdFile) checkNegotiation() {
	f.look("negotiation_timeout")
	const instead = "A connection that waits that long between its password and its session outlives a revoked password. " +
		"Write: negotiation_timeout: 30 s"
	written, there := f.Global["negotiation_timeout"]
	if !there {
		f.find("negotiation_timeout is %v unless it is set. %s", defaultNegotiation, instead)
	} else if d, ok := parseTimeout(f.word(written)); !ok || d > longestNegotiation {
		f.find("negotiation_timeout is %q. %s", fmt.Sprint(f.value(written)), instead)
	}
}

// units are the words that ejabberd knows for spans of time, without their s.
var units = map[string]time.Duration{
	"": time.Second, "ms": time.Millisecond, "msec": time.Millisecond, "millisecond": time.Millisecond,
	"sec": time.Second, "second": time.Second, "m": time.Minute, "min": time.Minute, "minute": time.Minute,
	"h": time.Hour, "hour": time.Hour, "d": 24 * time.Hour, "day": 24 * time.Hour,
}

// parseTimeout reads 30, "30 s", "2 minutes". ok is false for infinity, and for
// what is longer than anybody means.
func parseTimeout(s string) (d time.Duration, ok bool) {
	unit := strings.TrimLeft(s, "0123456789")
	n, err := strconv.ParseUint(s[:len(s)-len(unit)], 10, 24)
	unit = strings.TrimSpace(unit)
	length, ok := units[unit]
	if !ok {
		length, ok = units[strings.TrimSuffix(unit, "s")]
	}
	if err != nil || !ok {
		return 0, false
	}
	return time.Duration(n) * length, true
}
