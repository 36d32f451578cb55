package io.github.bahagh.nimbus

import java.net.URL
import java.time.Instant
import javax.crypto.Mac
import javax.crypto.spec.SecretKeySpec

/** Signatures of requests, for any other client. */
public object Signature {
    /**
     * The signature of a request: the lower-case hex HMAC-SHA256, keyed with the project's secret, of
     * `{timestamp}:{METHOD}:{path}:{body}`.
     *
     * The timestamp is in Unix seconds; the server refuses one more than 300 s from its own clock. The method may be
     * in any case. The path is that of the URL as it is sent (percent-encoded), without the query, from /v1 on: of
     * https://example.com/analytics/v1/events it is /v1/events, because a server under a path is behind a proxy that
     * takes the prefix away. The body is the exact bytes sent, so the compressed ones when the body is compressed.
     */
    @JvmStatic
    public fun of(secret: String, timestamp: Long, method: String, path: String, body: ByteArray): String {
        val mac = Mac.getInstance("HmacSHA256")
        mac.init(SecretKeySpec(secret.toByteArray(), "HmacSHA256"))
        mac.update("$timestamp:${method.uppercase()}:$path:".toByteArray())
        return mac.doFinal(body).joinToString("") { HEX[it.toInt() shr 4 and 0xf].toString() + HEX[it.toInt() and 0xf] }
    }

    private const val HEX = "0123456789abcdef"
}

/**
 * Says who sends a request. A secret in a program that users can take apart, in an app, is no secret: use a write key
 * there.
 */
public sealed class Credentials {
    /** Signs each request, at its own time, with the secret of the pair: `nk_…` and `ns_…`. */
    public class KeyPair(private val keyId: String, private val secret: String) : Credentials() {
        override fun headers(method: String, url: String, body: ByteArray, now: Instant): Map<String, String> {
            // What is sent in the request line, before any decoding. The last /v1, because the prefix of a gateway may have versions of its own.
            val sent = URL(url).path
            val from = sent.lastIndexOf("/v1/")
            val timestamp = now.epochSecond
            return mapOf(
                "X-Api-Key-Id" to keyId, "X-Api-Timestamp" to timestamp.toString(),
                "X-Api-Signature" to Signature.of(secret, timestamp, method, if (from > 0) sent.substring(from) else sent, body),
            )
        }
    }

    /** Sends the secret as it is, `ns_…`, for networks that are trusted. */
    public class Secret(private val secret: String) : Credentials() {
        override fun headers(method: String, url: String, body: ByteArray, now: Instant): Map<String, String> = mapOf("X-Api-Key" to secret)
    }

    /** The project's public key, `nw_…`, which only sends events. */
    public class WriteKey(private val key: String) : Credentials() {
        override fun headers(method: String, url: String, body: ByteArray, now: Instant): Map<String, String> = mapOf("X-Write-Key" to key)
    }

    internal abstract fun headers(method: String, url: String, body: ByteArray, now: Instant): Map<String, String>
}
