# PostgreSQL, Prometheus and Alertmanager from Debian's packages, to be used as their official images are in
# compose.yaml; docker/make-debian-parts.sh builds them. BASE_IMAGE is Debian 13: Alertmanager must be 0.26 or newer.
ARG BASE_IMAGE
# checkov:skip=CKV_DOCKER_7:the tag is in BASE_IMAGE, which Checkov does not resolve
# checkov:skip=CKV_DOCKER_2:compose.yaml has the health checks, for these and for the official images
FROM ${BASE_IMAGE} AS postgres
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends postgresql \
    && rm -rf /var/lib/apt/lists/* /var/lib/postgresql/*/main \
    && install -d -o postgres -g postgres -m 0700 /var/lib/postgresql/data \
    && install -d -o postgres -g postgres /run/postgresql \
    && ln -s /usr/lib/postgresql/*/bin/* /usr/local/bin/
COPY debian-postgres.sh /usr/local/bin/
USER postgres
VOLUME /var/lib/postgresql/data
# As the official image: a fast shutdown, which ends sessions and needs no recovery afterwards.
STOPSIGNAL SIGINT
ENTRYPOINT ["sh", "/usr/local/bin/debian-postgres.sh"]

FROM ${BASE_IMAGE} AS prometheus
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends prometheus \
    && rm -rf /var/lib/apt/lists/* && install -d -o nobody -g nogroup /prometheus
USER nobody
VOLUME /prometheus
ENTRYPOINT ["prometheus"]

FROM ${BASE_IMAGE} AS alertmanager
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends prometheus-alertmanager \
    && rm -rf /var/lib/apt/lists/* && install -d -o nobody -g nogroup /alertmanager
USER nobody
VOLUME /alertmanager
ENTRYPOINT ["prometheus-alertmanager"]
CMD ["--config.file=/etc/alertmanager/alertmanager.yml", "--storage.path=/alertmanager"]
