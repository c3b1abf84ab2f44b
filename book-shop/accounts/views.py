"""Registration, change of password and the account page. Django has the views to sign in and out."""

from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.contrib.auth.views import PasswordChangeView, PasswordResetConfirmView, RedirectURLMixin
from django.contrib.messages.views import SuccessMessageMixin
from django.db import IntegrityError, transaction
from django.http import HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.urls import reverse, reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_safe
from django.views.generic import CreateView

from accounts.forms import RegisterForm
from accounts.invitation import tokens


@method_decorator([sensitive_post_parameters(), never_cache], name="dispatch")
class RegisterView(RedirectURLMixin, CreateView):
    """Register a reader and sign them in. The session keeps its cart."""

    model = User
    form_class = RegisterForm
    template_name = "accounts/register.html"
    next_page = "account"

    def dispatch(self, request, *args, **kwargs):
        """Redirect a reader who is already signed in."""
        if request.user.is_authenticated:
            return HttpResponseRedirect(resolve_url(self.next_page))
        return super().dispatch(request, *args, **kwargs)

    def get_context_data(self, **kwargs):
        """Add the page to return to. URLs of other sites are dropped."""
        return super().get_context_data(next=self.get_redirect_url(), **kwargs)

    def form_valid(self, form):
        """Sign the new reader in, unless another request has just registered the same name."""
        try:
            with transaction.atomic():
                answer = super().form_valid(form)
        except IntegrityError:
            form.add_error("username", self.model._meta.get_field("username").error_messages["unique"])
            return self.form_invalid(form)
        login(self.request, self.object)
        return answer


class PasswordView(SuccessMessageMixin, PasswordChangeView):
    """Change the password of the reader."""

    template_name = "accounts/password.html"
    success_url = reverse_lazy("account")
    success_message = _("Your password has been changed.")


class InvitationView(SuccessMessageMixin, PasswordResetConfirmView):
    """Let an invited administrator set a password. The link has the token in its query, because logs have the path.

    Django's view moves the token into the session and redirects to the path without it, so no page that links
    elsewhere has the token in its address.
    """

    template_name = "accounts/invitation.html"
    success_message = _("Your password has been set. Now you can sign in.")
    token_generator = tokens

    def dispatch(self, request, *args, **kwargs):
        """Pass the token to Django's view, and keep the page out of search engines."""
        token = request.GET.get("token", self.reset_url_token)
        response = super().dispatch(request, *args, token=token, **kwargs)
        response.headers["X-Robots-Tag"] = "noindex"
        if response.status_code == 200 and not self.validlink:
            response.status_code = 410
        return response

    def get_success_url(self):
        """Return the page to sign in, which leads to the admin."""
        return reverse("login", query={"next": reverse("admin:index")})


@never_cache
@require_safe
@login_required
def account(request):
    """The account page."""
    return render(request, "accounts/account.html")
