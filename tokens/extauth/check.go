package extauth

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// poolSize is what extauth_pool_size should be at least: a program has one
// question at a time, and ejabberd does not look which of them is free.
const poolSize = 4

// Check reads an ejabberd.yml and says what in it would not work with Trunkline,
// and what to write instead: one sentence each, none if all is well. looked names
// what was looked at, for there is more in such a file. It knows macros, but reads
// no other file. An error means that this is no YAML.
func Check(text []byte) (found, looked []string, err error) {
	var file ejabberdFile
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, nil, fmt.Errorf("extauth: the configuration is not YAML that ejabberd reads: %w", err)
	}
	file.checkHosts()
	file.checkListeners()
	file.checkModules()
	file.checkKicks()
	if file.Include != nil {
		file.find("include_config_file: the files that are included are not read here; check each of them too")
	}
	return file.found, file.looked, nil
}

// ejabberdFile is the part of an ejabberd.yml that matters here.
type ejabberdFile struct {
	Hosts   []string
	Host    map[string]map[string]any `yaml:"host_config"`
	Append  map[string]map[string]any `yaml:"append_host_config"`
	Macros  map[string]any            `yaml:"define_macro"`
	Include any                       `yaml:"include_config_file"`
	Modules map[string]any
	Global  map[string]any `yaml:",inline"`

	found, looked []string
	steps         int // of looking up names
}

func (f *ejabberdFile) find(format string, args ...any) {
	f.found = append(f.found, fmt.Sprintf(format, args...))
}

func (f *ejabberdFile) look(format string, args ...any) {
	f.looked = append(f.looked, fmt.Sprintf(format, args...))
}

func (f *ejabberdFile) checkHosts() {
	asking := 0
	for _, host := range f.Hosts {
		host = f.word(host)
		methods := f.list(f.option(host, "auth_method"))
		if slices.Contains(methods, "external") {
			asking++
			f.checkHost(host)
		} else if slices.Contains(methods, "jwt") {
			f.find("%s: with jwt alone messages to people who are offline come back to the sender, and no device "+
				"password works. Write: auth_method: [jwt, external]", host)
		}
	}
	if asking == 0 {
		f.find("No host asks Trunkline. Write under host_config, below your domain: auth_method: external")
	}
}

// checkHost is about a host whose auth_method has external in it.
func (f *ejabberdFile) checkHost(host string) {
	f.look("auth_method, auth_use_cache, extauth_program and extauth_pool_size of %s", host)
	if f.cached(host) {
		f.find("%s: ejabberd remembers passwords (auth_use_cache is on unless it is switched off). Then a person's "+
			"second password is refused while the first is remembered, and a revoked one goes on working for up to an hour. "+
			"Write under host_config, below %[1]s: auth_use_cache: false", host)
	}
	program := f.word(f.option(host, "extauth_program"))
	switch {
	case program == "":
		f.find("%s: extauth_program is missing. Write: extauth_program: \"/usr/local/bin/trunkline extauth --secret-file /etc/ejabberd/trunkline.secret\"", host)
	case !slices.Contains(strings.Fields(program), "extauth"):
		f.find("%s: extauth_program starts something else than trunkline extauth", host)
	}
	if size, ok := f.value(f.option(host, "extauth_pool_size")).(int); !ok || size < poolSize {
		f.find("%s: each program answers one question at a time, and a slow one holds up those behind it. "+
			"Write: extauth_pool_size: %d", host, poolSize)
	}
}

// checkModules is about modules that do harm here.
func (f *ejabberdFile) checkModules() {
	f.look("mod_fail2ban and mod_last")
	if settings, on := f.Modules["mod_fail2ban"]; on {
		if m, _ := settings.(map[string]any); m["access"] == nil {
			f.find("mod_fail2ban counts wrong passwords by address, and everybody who chats in Mastodon comes from the " +
				"gateway's: 20 wrong ones shut all of them out for an hour. Give it an access rule that leaves the gateway's " +
				"address alone, as contrib/ejabberd/ejabberd.yml does")
		}
	}
	if f.has("mod_last") {
		f.find("mod_last answers contacts who ask when somebody was last there (jabber:iq:last), also about people who hide that " +
			"they are online. Remove it from modules")
	}
}

// has says whether a module is on anywhere.
func (f *ejabberdFile) has(module string) bool {
	_, on := f.Modules[module]
	for _, hosts := range []map[string]map[string]any{f.Host, f.Append} {
		for _, options := range hosts {
			modules, _ := f.value(options["modules"]).(map[string]any)
			_, here := modules[module]
			on = on || here
		}
	}
	return on
}

// cached says whether ejabberd remembers passwords for this host. The option
// auth_use_cache is the host's, else the file's; else use_cache is, likewise; else
// it does.
func (f *ejabberdFile) cached(host string) bool {
	for _, key := range []string{"auth_use_cache", "use_cache"} {
		switch f.word(f.option(host, key)) {
		case "false", "off", "no", "n":
			return false
		case "":
		default:
			return true
		}
	}
	return true
}

// option is the host's value for a key, else the file's, else nil.
func (f *ejabberdFile) option(host, key string) any {
	for _, options := range []map[string]any{f.Host[host], f.Append[host], f.Global} {
		if v, ok := options[key]; ok {
			return v
		}
	}
	return nil
}

// value is v, or what the macro of that name stands for.
func (f *ejabberdFile) value(v any) any {
	if name, ok := v.(string); ok {
		if meant, ok := f.Macros[name]; ok {
			return meant
		}
	}
	return v
}

// word is a value as text, "" for nil.
func (f *ejabberdFile) word(v any) string {
	if v = f.value(v); v == nil {
		return ""
	}
	return strings.ToLower(fmt.Sprint(v))
}

// list is a value that may be one word or several.
func (f *ejabberdFile) list(v any) (words []string) {
	v = f.value(v)
	several, ok := v.([]any)
	if !ok {
		several = []any{v}
	}
	for _, one := range several {
		words = append(words, f.word(one))
	}
	return words
}
