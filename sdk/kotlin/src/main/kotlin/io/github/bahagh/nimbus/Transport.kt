package io.github.bahagh.nimbus

import java.io.Closeable
import java.io.IOException
import java.io.InputStream
import java.net.HttpURLConnection
import java.net.ProtocolException
import java.net.URL
import java.time.Duration

/** A request to be sent once. */
public class HttpRequest(
    public val method: String,
    public val url: String,
    public val headers: Map<String, String>,
    /** Null for none. */
    public val body: ByteArray?,
    /** How long to wait for the connection, and for each part of the answer. */
    public val timeout: Duration,
) {
    private var cancelled = false
    private var action: Runnable? = null

    /** Tells a transport how to break the request off, which another thread may ask for at any time. */
    public fun onCancel(action: Runnable) {
        synchronized(this) {
            this.action = action
            if (!cancelled) return
        }
        action.run()
    }

    internal fun cancel() {
        synchronized(this) {
            cancelled = true
            action
        }?.run()
    }
}

/** An answer; its body is read once, then it is closed. */
public class HttpResponse(
    public val status: Int,
    /** By names in lower case. */
    public val headers: Map<String, String>,
    public val body: InputStream,
) : Closeable {
    override fun close() {
        body.close()
    }

    /** The body up to a limit. */
    internal fun bytes(most: Int): ByteArray = use {
        val out = java.io.ByteArrayOutputStream()
        val buffer = ByteArray(8 shl 10)
        while (out.size() < most) {
            val n = body.read(buffer, 0, minOf(buffer.size, most - out.size()))
            if (n < 0) break
            out.write(buffer, 0, n)
        }
        out.toByteArray()
    }
}

/** Sends requests. It follows no redirect that loses the body or gives credentials to another host. */
public fun interface Transport {
    /** Returns the answer, whatever its status. */
    @Throws(IOException::class)
    public fun send(request: HttpRequest): HttpResponse
}

/** Sends by HttpURLConnection, which every JVM and Android have. */
public open class UrlTransport : Transport {
    /** Opens a connection: override it for a proxy, or for TLS of your own. On the JVM a PATCH takes its URL alone. */
    @Throws(IOException::class)
    protected open fun open(url: URL): HttpURLConnection = url.openConnection() as HttpURLConnection

    override fun send(request: HttpRequest): HttpResponse {
        var url = URL(request.url)
        repeat(MAX_REDIRECTS) {
            val answer = once(request, url)
            val to = answer.headers["location"]
            if (answer.status != 307 && answer.status != 308 || to == null) return answer
            val next = URL(url, to)
            // Credentials are for the host that was named, and never for an open line instead of TLS.
            if (!next.host.equals(url.host, ignoreCase = true) || url.protocol == "https" && next.protocol != "https") return answer
            answer.close()
            url = next
        }
        throw IOException("$MAX_REDIRECTS redirects in a row")
    }

    private fun once(request: HttpRequest, url: URL): HttpResponse {
        val connection = open(url)
        val timeout = request.timeout.toMillis().coerceIn(1, Int.MAX_VALUE.toLong()).toInt()
        connection.connectTimeout = timeout
        connection.readTimeout = timeout
        connection.instanceFollowRedirects = false
        connection.useCaches = false
        try {
            connection.requestMethod = request.method
        } catch (e: ProtocolException) {
            return NetClient.send(request, connection.url) ?: throw e
        }
        request.onCancel { connection.disconnect() }
        request.headers.forEach { (name, value) -> connection.setRequestProperty(name, value) }
        if (request.body != null) {
            connection.doOutput = true
            connection.outputStream.use { it.write(request.body) }
        }
        val status = connection.responseCode
        if (status < 0) throw IOException("the answer is no HTTP")
        val headers = HashMap<String, String>()
        connection.headerFields.forEach { (name, values) -> if (name != null) headers[name.lowercase()] = values.joinToString(", ") }
        val body = (if (status >= 400) connection.errorStream else connection.inputStream) ?: ByteArray(0).inputStream()
        return HttpResponse(status, headers, body)
    }

    private companion object {
        const val MAX_REDIRECTS = 10
    }
}

/**
 * Sends a PATCH where HttpURLConnection knows none: on a JVM, which has java.net.http since Java 11. Android has not,
 * and needs it not, so that the classes are only named by text.
 */
private object NetClient {
    fun send(request: HttpRequest, url: URL): HttpResponse? {
        val http = try {
            Classes()
        } catch (_: ClassNotFoundException) {
            return null
        }
        return http.send(request, url)
    }

    private class Classes {
        private val client = Class.forName("java.net.http.HttpClient")
        private val message = Class.forName("java.net.http.HttpRequest")
        private val builder = Class.forName("java.net.http.HttpRequest\$Builder")
        private val publisher = Class.forName("java.net.http.HttpRequest\$BodyPublisher")
        private val publishers = Class.forName("java.net.http.HttpRequest\$BodyPublishers")
        private val handler = Class.forName("java.net.http.HttpResponse\$BodyHandler")
        private val handlers = Class.forName("java.net.http.HttpResponse\$BodyHandlers")
        private val answer = Class.forName("java.net.http.HttpResponse")
        private val headers = Class.forName("java.net.http.HttpHeaders")

        fun send(request: HttpRequest, url: URL): HttpResponse {
            val body = publishers.getMethod("ofByteArray", ByteArray::class.java).invoke(null, request.body ?: ByteArray(0))
            val b = message.getMethod("newBuilder", java.net.URI::class.java).invoke(null, url.toURI())
            builder.getMethod("method", String::class.java, publisher).invoke(b, request.method, body)
            builder.getMethod("timeout", Duration::class.java).invoke(b, request.timeout)
            val header = builder.getMethod("header", String::class.java, String::class.java)
            request.headers.forEach { (name, value) -> header.invoke(b, name, value) }
            val built = builder.getMethod("build").invoke(b)
            val stream = handlers.getMethod("ofInputStream").invoke(null)
            val got = try {
                client.getMethod("send", message, handler).invoke(client.getMethod("newHttpClient").invoke(null), built, stream)
            } catch (e: java.lang.reflect.InvocationTargetException) {
                throw e.targetException as? IOException ?: IOException(e.targetException)
            }
            val map = headers.getMethod("map").invoke(answer.getMethod("headers").invoke(got)) as Map<*, *>
            return HttpResponse(
                answer.getMethod("statusCode").invoke(got) as Int,
                map.entries.associate { (name, values) -> (name as String).lowercase() to (values as List<*>).joinToString(", ") },
                answer.getMethod("body").invoke(got) as InputStream,
            )
        }
    }
}
