package tokens

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
)

// digests is what a SIP server needs to check a digest answer (RFC 2617 section
// 3.2.2.2, RFC 7616 section 3.4.2, RFC 8760): the hash of "name:realm:password",
// in lower-case hex. The B forms hash "name@realm:realm:password", for phones
// that put the domain into the name, as Kamailio's auth_db has them. MD5 is no
// protection by itself: whoever has such a hash can log in as that device. The
// password has 120 random bits, though, and opens nothing else.
type digests struct{ ha1, ha1b, ha1SHA256, ha1bSHA256 string }

func newDigests(name, realm, secret string) digests {
	plain := []byte(name + ":" + realm + ":" + secret)
	withDomain := []byte(name + "@" + realm + ":" + realm + ":" + secret)
	return digests{
		ha1: hexMD5(plain), ha1b: hexMD5(withDomain),
		ha1SHA256: hexSHA256(plain), ha1bSHA256: hexSHA256(withDomain),
	}
}

func hexMD5(b []byte) string {
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}

func hexSHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
