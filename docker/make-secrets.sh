#!/bin/sh
# Makes what the compose file's broker with a login and its clients need to know of each other: a certificate that is its own
# authority, and a password. Runs as root in Kafka's image, so with its Java's keytool. What was made once stays.
set -eu
umask 077
cd "${1:-/etc/kafka/secrets}"
[ ! -f password ] || exit 0
chmod 755 .

# The store's own password protects nothing here: whoever may read the store may read it in the compose file.
keytool -genkeypair -alias broker -keyalg EC -groupname secp256r1 -validity 825 -dname CN=kafka-sasl \
    -ext san=dns:kafka-sasl,dns:localhost -ext bc:c=ca:true -storetype PKCS12 -keystore broker.p12 -storepass changeit
keytool -exportcert -rfc -alias broker -keystore broker.p12 -storepass changeit -file ca.pem

password=$(head -c 24 /dev/urandom | base64 | tr '+/' '-_')
cat > jaas.conf <<JAAS
KafkaServer {
    org.apache.kafka.common.security.plain.PlainLoginModule required
    username="broker" password="$password" user_broker="$password" user_messagetrace-ecs="$password";
};
JAAS

# Kafka's image runs as 1000, ours as 65532.
chown 1000 broker.p12 jaas.conf
chmod 444 ca.pem
printf '%s' "$password" > password.new
chown 65532 password.new
# Last, and at once: half of this is nothing.
mv password.new password
