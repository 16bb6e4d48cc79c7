-- As prosody.cfg.lua here, for a Trunkline on another machine: STARTTLS, with a
-- certificate that is checked against what TLS_CACERT in /etc/ldap/ldap.conf
-- names (Debian: the authorities of the system). ldap_server must have the name
-- that stands in the certificate.
VirtualHost "example.org"
    authentication = "ldap"
    ldap_server = "chat.example.org:3389"
    ldap_tls = true
    ldap_rootdn = "cn=service,dc=example,dc=org"
    ldap_password = "THE-LDAP-SECRET"
    ldap_base = "ou=people,dc=example,dc=org"
    ldap_filter = "(uid=$user)"
    ldap_mode = "bind"
