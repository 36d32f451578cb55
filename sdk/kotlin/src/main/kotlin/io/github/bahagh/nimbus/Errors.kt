package io.github.bahagh.nimbus

import java.time.Duration
import java.time.Instant

/**
 * What went wrong. The calls of a [Tracker] return one instead of throwing it, so that no program ends for its
 * analytics.
 */
public open class NimbusException @JvmOverloads constructor(message: String, cause: Throwable? = null) : RuntimeException(message, cause)

/** There was no room: under [FullPolicy.REFUSE] for the new event, under [FullPolicy.DROP_OLDEST] for the oldest. */
public class QueueFullException : NimbusException("nimbus: the queue is full")

/** The tracker was closed before the call. */
public class ClosedException : NimbusException("nimbus: the tracker is closed")

/**
 * The tracker was closed, and its time was up, before the server had answered for the event. It may have been stored
 * all the same, if only the answer was missing.
 */
public class NotDeliveredException : NimbusException("nimbus: the tracker was closed before the event was delivered")

/** The hook before sending returned false, or threw [cause]. */
public class BeforeSendException @JvmOverloads constructor(cause: Throwable? = null) :
    NimbusException("nimbus: dropped before it was sent, by the program" + if (cause == null) "" else ", which threw $cause", cause)

/** [Tracker.flush] or [Tracker.close] ended before everything was delivered. */
public class UndeliveredException internal constructor(
    /** How many events and operations. */
    public val count: Int,
    /** They are in the spool, and the project's next tracker on it sends them. */
    public val spooled: Boolean,
    cause: Throwable?,
) : NimbusException("nimbus: $count events are not delivered" + (if (spooled) " yet and stay in the spool" else ""), cause)

/** What is wrong with one field. */
public data class FieldError(
    /** JSON pointer (RFC 6901) of the field; for a parameter, / and its name. */
    val pointer: String,
    /** Stable and documented. */
    val code: String,
    /** What it must be. */
    val detail: String,
    /** Where a field of a request is: body, query, path or header. */
    val location: String? = null,
    /** The position of the event in its batch. */
    val index: Int? = null,
) {
    internal companion object {
        fun all(json: Any?): List<FieldError> = (json as? List<*>).orEmpty().mapNotNull { one ->
            val e = one as? Map<*, *> ?: return@mapNotNull null
            FieldError(e["pointer"] as? String ?: "", e["code"] as? String ?: "", e["detail"] as? String ?: "", e["in"] as? String,
                (e["index"] as? Number)?.toInt())
        }
    }
}

/** What is wrong with one event, which will never be stored. The pointers begin at the event: /name. */
public class RejectedException(
    /** Every bad field. */
    public val fields: List<FieldError>,
) : NimbusException("nimbus: refused: " + fields.joinToString("; ") { "${it.pointer} ${it.detail}".trim() })

/**
 * An answer other than a success: the problem document (RFC 9457) that the server wrote. Switch on [code].
 *
 * An answer that Nimbus did not write, such as the page of a proxy, has its [status], an empty [code], and the
 * beginning of what was answered, or where it redirects to, as [detail]. What tells them apart is that Nimbus answers
 * with a problem document (Content-Type application/problem+json) that has a code.
 */
public class ApiException internal constructor(
    /** Of HTTP. */
    public val status: Int,
    /** Stable and documented; empty in an answer of something else. */
    public val code: String,
    /** A link to the description of the code. */
    public val type: String,
    /** The kind of error, the same for every error of this code. */
    public val title: String,
    /** What went wrong this time, and what to do. */
    public val detail: String,
    /** For asking the operator. */
    public val requestId: String,
    /** Every bad field. */
    public val errors: List<FieldError>,
    /** Of `version_conflict`: the version that is there. */
    public val version: Long?,
    /** How long the server asks to wait, 10 minutes at most; zero when it does not say. */
    public val retryAfter: Duration,
    /** The whole document, with the members that only some codes have. */
    public val problem: Map<String, Any?>,
    internal val date: Instant?,
) : NimbusException(text(status, code, title, detail, requestId, errors)) {

    /**
     * Whether the same request may succeed later: after a 408, a 429, a 5xx, and any answer that Nimbus did not
     * write. An ingress answers 404 while a server is deployed, a firewall 403, a login proxy 401.
     */
    public val isTemporary: Boolean
        get() = code.isEmpty() || status !in 400..499 || status == 408 || status == 429

    /** A 413 is final from a proxy too: it would refuse the same events again, and they would block all others. */
    internal val isFinal: Boolean
        get() = !isTemporary || status == 413

    public companion object {
        /** Reads an answer that is no success. Header names are in lower case. */
        @JvmStatic
        public fun of(status: Int, headers: Map<String, String>, body: ByteArray): ApiException = of(status, headers, body, Instant.now())

        internal fun of(status: Int, headers: Map<String, String>, body: ByteArray, now: Instant): ApiException {
            val date = httpDate(headers["date"])
            val wait = retryAfter(headers["retry-after"], date ?: now)
            val mediaType = headers["content-type"].orEmpty().substringBefore(';').trim().lowercase()
            val problem = if (mediaType == "application/problem+json") document(body) else null
            if (problem != null) {
                fun text(name: String) = problem[name] as? String ?: ""
                return ApiException(status, text("code"), text("type"), text("title"), text("detail"), text("request_id"),
                    FieldError.all(problem["errors"]), (problem["version"] as? Number)?.toLong(), wait, problem, date)
            }
            val detail = headers["location"]?.let { "redirected to $it" } ?: String(body, 0, minOf(body.size, ENOUGH), Charsets.UTF_8)
            return ApiException(status, "", "", title(status), detail, headers["x-request-id"] ?: "", emptyList(), null, wait, emptyMap(), date)
        }

        private const val ENOUGH = 200

        private fun document(body: ByteArray): Map<String, Any?>? {
            val json = try {
                Json.parse(body)
            } catch (_: JsonException) {
                return null
            }
            @Suppress("UNCHECKED_CAST") // an object of JSON
            return (json as? Map<String, Any?>)?.takeIf { (it["code"] as? String).orEmpty().isNotEmpty() }
        }

        private fun text(status: Int, code: String, title: String, detail: String, requestId: String, errors: List<FieldError>): String =
            buildString {
                append("nimbus: ").append("$status ${code.ifEmpty { title }}".trim())
                if (detail.isNotEmpty()) append(": ").append(detail)
                errors.take(3).forEach { append("; ${it.pointer} ${it.detail}") }
                if (errors.size > 3) append("; and ${errors.size - 3} more")
                if (requestId.isNotEmpty()) append(" (request $requestId)")
            }

        private fun title(status: Int): String = when (status) {
            301 -> "Moved Permanently"
            302 -> "Found"
            401 -> "Unauthorized"
            403 -> "Forbidden"
            404 -> "Not Found"
            413 -> "Content Too Large"
            502 -> "Bad Gateway"
            503 -> "Service Unavailable"
            504 -> "Gateway Timeout"
            else -> ""
        }
    }
}

/** Bounds what a server, or whatever answers in its place, can make us wait. */
private val longestRetryAfter: Duration = Duration.ofMinutes(10)

/**
 * Reads the header: seconds, or a date, which proxies send, by the same clock as [now]. Zero for none and for what
 * cannot be read.
 */
internal fun retryAfter(value: String?, now: Instant): Duration {
    val text = value?.trim().orEmpty()
    if (text.isNotEmpty() && text.all { it in '0'..'9' }) {
        val seconds = text.toLongOrNull() ?: Long.MAX_VALUE
        return Duration.ofSeconds(minOf(seconds, longestRetryAfter.seconds))
    }
    val at = httpDate(text) ?: return Duration.ZERO
    return Duration.between(now, at).coerceIn(Duration.ZERO, longestRetryAfter)
}

private fun httpDate(value: String?): Instant? = try {
    if (value.isNullOrEmpty()) null else Instant.from(java.time.format.DateTimeFormatter.RFC_1123_DATE_TIME.parse(value))
} catch (_: java.time.DateTimeException) {
    null
}
