"""Checks pods on Linux against the Pod Security Standard `restricted` (kubernetes.io/docs/concepts/security/
pod-security-standards). The cluster enforces the standard; this check finds violations before a deploy."""

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
}
SECCOMP = {"RuntimeDefault", "Localhost"}
SELINUX = {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}


def violations(pod):
    """The fields of a pod's spec that the profile refuses, none for a pod that it takes."""
    found = [name for name in ("hostNetwork", "hostPID", "hostIPC") if pod.get(name)]
    own = pod.get("securityContext", {})
    found += [f"sysctl {sysctl['name']}" for sysctl in own.get("sysctls", []) if sysctl["name"] not in SYSCTLS]
    for volume in pod.get("volumes", []):
        found += [f"volume {kind}" for kind in volume if kind != "name" and kind not in VOLUMES]
    found += context("pod", own)
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for container in pod.get(kind, []):
            found += [f"{container['name']}: {what}" for what in in_container(container, own)]
    return found


def in_container(container, pod):
    own = container.get("securityContext", {})
    yield from context("container", own)
    if own.get("privileged"):
        yield "privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation"
    capabilities = own.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", []) or set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        yield "capabilities"
    if own.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
        yield "runAsNonRoot"
    if own.get("seccompProfile", pod.get("seccompProfile", {})).get("type") not in SECCOMP:
        yield "seccompProfile"
    if own.get("procMount", "Default") != "Default":
        yield "procMount"
    if any(port.get("hostPort") for port in container.get("ports", [])):
        yield "hostPort"
    probes = [container.get(name, {}) for name in ("livenessProbe", "readinessProbe", "startupProbe")]
    hooks = list(container.get("lifecycle", {}).values())
    if any(
        action.get("host")
        for asked in probes + hooks
        for action in (asked.get("httpGet"), asked.get("tcpSocket"))
        if action
    ):
        yield "host of a probe"


def context(where, own):
    """What a security context may not say, of a pod and of a container."""
    if own.get("runAsUser") == 0:
        yield f"{where}: runAsUser 0"
    if own.get("seccompProfile", {}).get("type", "RuntimeDefault") not in SECCOMP:
        yield f"{where}: seccompProfile"
    if own.get("appArmorProfile", {}).get("type", "RuntimeDefault") not in SECCOMP:
        yield f"{where}: appArmorProfile"
    options = own.get("seLinuxOptions", {})
    if options.get("user") or options.get("role") or options.get("type", "") not in SELINUX:
        yield f"{where}: seLinuxOptions"
    if own.get("windowsOptions", {}).get("hostProcess"):
        yield f"{where}: hostProcess"
