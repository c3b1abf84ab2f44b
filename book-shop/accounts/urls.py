"""URLs of accounts. NGINX limits the rate of POST requests to login and register (nginx/book-shop/http.conf)."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from accounts import views

urlpatterns = [
    path("", views.account, name="account"),
    path("login/", LoginView.as_view(template_name="accounts/login.html"), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("register/", views.RegisterView.as_view(), name="register"),
    path("password/", views.PasswordView.as_view(), name="password-change"),
    path("invitation/<slug:uidb64>/", views.InvitationView.as_view(), name="invitation"),
]
