-- Prosody 0.12 asks Trunkline's LDAP front whose password is right, with
-- nothing but Debian's packages: apt install prosody lua-ldap
--
-- Prefer contrib/prosody: while mod_auth_ldap waits for an answer, all of
-- Prosody waits, and it cannot tell "wrong password" from "ask later".
VirtualHost "example.org"
    authentication = "ldap"
    ldap_server = "127.0.0.1:3389"
    ldap_rootdn = "cn=service,dc=example,dc=org"
    ldap_password = "THE-LDAP-SECRET"
    ldap_base = "ou=people,dc=example,dc=org"
    ldap_filter = "(uid=$user)"
    ldap_mode = "bind" -- there are no passwords to read
